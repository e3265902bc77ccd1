"""What the interface says of itself, and that all of it is JSON."""

import re

import pytest
from django.urls import get_resolver

from orchestrator.api import urls
from orchestrator.api.errors import documented
from orchestrator.statuses import STATUSES
from tests.orchestrator.api.conftest import JSON

pytestmark = pytest.mark.django_db


@pytest.fixture
def schema(program):
    answer = program.client.get("/api/openapi.json", headers=program.headers)
    assert (answer.status_code, answer["Content-Type"]) == (200, JSON)
    return answer.json()


def routes() -> set[str]:
    """The paths under /api/ as OpenAPI writes them."""
    assert any(str(one.pattern) == "api/" for one in get_resolver().url_patterns)
    found = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", f"/api/{one.pattern}") for one in urls.urlpatterns}
    return found - {"/api/", "/api/openapi.json"}


def test_openapi_lists_every_path(schema):
    assert set(schema["paths"]) == routes()
    assert len(routes()) == 10
    named = [act["operationId"] for path in schema["paths"].values() for act in path.values()]
    assert len(set(named)) == len(named)


def test_openapi_lists_every_error_with_its_form(schema):
    refusals = {str(status) for status in documented(None, *STATUSES.values()) if status != 200}
    seen = set()
    for path in schema["paths"].values():
        for act in path.values():
            told = {status: one["content"][JSON]["schema"] for status, one in act["responses"].items()}
            forms = {told[status]["$ref"].rsplit("/", 1)[1] for status in told if status >= "400"}
            assert forms <= {"Refusal", "ConflictRefusal"}
            assert {"400", "401", "403", "404", "405", "422", "500", "503"} <= set(told)
            assert ("413" in told) is ("requestBody" in act)
            seen |= {status for status in told if status >= "400"}
    assert seen == refusals
    form = schema["components"]["schemas"]["Refusal"]
    assert sorted(form["required"]) == ["code", "fields", "message"]


def test_openapi_says_how_to_be_let_in_and_names_no_other_host(schema):
    ways = schema["components"]["securitySchemes"]
    assert ways["Token"] == {"type": "http", "scheme": "bearer"}
    assert (ways["BrowserSession"]["in"], ways["BrowserSession"]["name"]) == ("cookie", "sessionid")
    assert all(len(act["security"]) == 2 for path in schema["paths"].values() for act in path.values())
    assert "http" not in re.sub(r'"(type|scheme)": "http"', "", str(schema).replace("'", '"'))


def test_the_schema_is_for_who_is_known(client):
    assert client.get("/api/openapi.json").json()["code"] == "unauthenticated"


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/docs", "/api/v1/approvals/", "/api/v1/approvals/nonsense"])
def test_what_is_not_there_is_not_there_in_json(program, path):
    answer = program.client.get(path, headers=program.headers)
    assert (answer.status_code, answer["Content-Type"], answer.json()["code"]) == (404, JSON, "not_found")


def test_a_method_that_an_address_does_not_take_is_refused_in_json(program):
    answer = program.client.delete("/api/v1/projects", headers=program.headers)
    assert (answer.status_code, answer["Allow"], answer.json()["code"]) == (405, "GET", "method_not_allowed")


def test_a_fault_of_ours_is_json_that_tells_nothing_of_itself(program, monkeypatch):
    monkeypatch.setattr("orchestrator.api.projects.memberships.of_person", lambda user: 1 / 0)
    answer = program.get("/projects")
    assert (answer.status_code, answer.json()["code"]) == (500, "broken")
    assert "ZeroDivision" not in answer.content.decode()


def test_nothing_is_kept_by_anybody(program, approval):
    for answer in (program.get("/projects"), program.get(f"/approvals/{approval.pk}"), program.get("/nothing")):
        assert answer["Cache-Control"] == "no-store"
