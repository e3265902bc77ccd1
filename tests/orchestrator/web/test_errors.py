"""What people see when something is wrong."""

import json

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.urls import path

from agents import errors
from agents.errors import DomainError
from memory import errors as memory_errors
from orchestrator.statuses import STATUSES, status_of
from orchestrator.urls import handler400, handler403, handler404, handler500
from orchestrator.urls import urlpatterns as own
from tests.factories import make_member, make_project
from tests.orchestrator.web.conftest import signed_in


def every_error(kind=DomainError):
    return {kind} | {deeper for one in kind.__subclasses__() for deeper in every_error(one)}


def raise_it(request, name):
    raise {kind.__name__: kind for kind in every_error()}[name]("A sentence.")


def break_it(request):
    raise RuntimeError("secret detail")


def lose_the_database(request):
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE; SELECT pg_terminate_backend(pg_backend_pid())")


urlpatterns = [path("lose/", lose_the_database), path("raise/<name>/", raise_it), path("break/", break_it), *own]
__all__ = ["handler400", "handler403", "handler404", "handler500"]


@pytest.fixture
def client(db):
    with override_settings(ROOT_URLCONF=__name__):
        client = signed_in(make_member(make_project()))
        client.raise_request_exception = False
        yield client


@pytest.mark.parametrize(("kind", "status"), STATUSES.items())
def test_a_broken_rule_becomes_a_page_with_its_status_and_sentence(client, kind, status):
    answer = client.get(f"/raise/{kind.__name__}/")
    assert answer.status_code == status
    assert "A sentence." in answer.content.decode()


def test_every_error_of_the_domain_has_a_status_of_the_callers_fault():
    assert {memory_errors.SourceRefused, errors.Fenced} <= every_error()
    assert all(400 <= status_of(kind("")) < 500 for kind in every_error())


def test_where_htmx_asked_a_broken_rule_becomes_a_notice_and_the_page_stays(client):
    answer = client.get("/raise/InvalidTransition/", headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert answer["HX-Reswap"] == "none"
    assert json.loads(answer["HX-Trigger"]) == {"notice": "A sentence."}


def test_a_page_that_is_not_there_says_so(client):
    answer = client.get("/nothing/here/")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


def test_a_fault_of_ours_tells_nothing_of_itself(client):
    answer = client.get("/break/")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize(("method", "refreshes"), [("get", True), ("post", False)])
def test_a_page_without_a_database_tries_again_by_itself_but_sends_nothing_twice(
    transactional_db, client, method, refreshes
):
    answer = getattr(client, method)("/lose/")
    connection.close()
    assert answer.status_code == 503
    assert "The database does not answer" in answer.content.decode()
    assert answer["Retry-After"] == "3"
    assert answer.has_header("Refresh") is refreshes


@pytest.mark.django_db
def test_a_form_without_a_token_is_refused_in_words():
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/login/", {"username": "mara", "password": "mara"})
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.content.decode()


@pytest.mark.django_db
def test_health_is_told_without_signing_in():
    answer = Client().get("/healthz")
    assert answer.json() == {"database": True, "redis": True, "damaged_states": 0}
    assert "no-store" in answer["Cache-Control"]
