"""Who is let in: by a token, by a browser's session, and who is not."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client

from agents.errors import InvalidInput, Unauthenticated
from agents.models import ApiToken, Approval, AuditEntry, Membership
from agents.services import tokens
from tests.factories import make_user
from tests.orchestrator.api.conftest import JSON, Program

pytestmark = pytest.mark.django_db


def test_a_token_is_kept_as_a_hash_alone_and_recognised_by_its_beginning(program):
    (row,) = ApiToken.objects.values()
    assert program.text not in json.dumps(row, default=str)
    assert program.text.startswith(row["prefix"]) and len(row["prefix"]) < len(program.text) / 3
    entry = AuditEntry.objects.get(action="token.make")
    assert (entry.target_id, entry.user, entry.detail) == (program.token.pk, program.user, {"prefix": row["prefix"]})


def spoil(token, way):
    rows = ApiToken.objects.filter(pk=token.pk)
    match way:
        case "revoked":
            tokens.revoke(token.pk, by=token.user)
        case "expired":
            rows.update(created_at=F("created_at") - timedelta(days=9), expires_at=F("created_at"))
        case "inactive":
            token.user.is_active = False
            token.user.save()
        case "gone":
            rows.delete()


@pytest.mark.parametrize("way", ["revoked", "expired", "inactive", "gone"])
def test_a_token_that_does_not_hold_any_more_lets_nobody_in(program, approval, way):
    assert program.get("/projects").status_code == 200
    spoil(program.token, way)
    for answer in (program.get("/projects"), program.decide(approval), program.client.get("/api/v1/projects")):
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer["WWW-Authenticate"].startswith("Bearer")
    assert Approval.objects.get().status == "pending"


@pytest.mark.parametrize(
    "given", ["Bearer", "Bearer ", "Bearer x", "Bearer qr_é", "Bearer qr_" + "x" * 9999, "Basic x"]
)
def test_what_is_no_token_lets_nobody_in(client, db, given):
    answer = client.get("/api/v1/projects", headers={"Authorization": given})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_bad_token_is_refused_even_beside_a_good_session(approver):
    client = Client()
    client.force_login(approver)
    assert client.get("/api/v1/projects").status_code == 200
    assert client.get("/api/v1/projects", headers={"Authorization": "Bearer qr_nonsense"}).status_code == 401


@pytest.mark.parametrize("path", ["projects", "approvals", "approvals/decide"])
def test_who_is_not_known_gets_json_and_no_redirect(client, db, path):
    for answer in (client.get(f"/api/v1/{path}"), client.post(f"/api/v1/{path}", {}, content_type=JSON)):
        assert answer.status_code in (401, 405)
        assert answer["Content-Type"] == JSON
        assert answer.json()["code"] in ("unauthenticated", "method_not_allowed")


def test_a_token_acts_with_the_role_that_its_person_has_now(program, approval):
    Membership.objects.filter(user=program.user).update(role="viewer")
    assert program.decide(approval).status_code == 403
    Membership.objects.filter(user=program.user).delete()
    assert program.decide(approval).status_code == 404


def test_a_session_needs_its_csrf_token_to_change_something(approver, approval):
    client = Client(enforce_csrf_checks=True)
    client.force_login(approver)
    path, body = f"/api/v1/approvals/{approval.pk}/decide", {"verdict": "approve", "version": 1}
    assert client.get("/api/v1/projects").status_code == 200
    answer = client.post(path, body, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "X-CSRFToken" in answer.json()["message"]
    wrong = client.post(path, body, content_type=JSON, headers={"X-CSRFToken": "x" * 32})
    assert wrong.status_code == 403
    assert Approval.objects.get().status == "pending"
    client.get("/approvals/")
    right = client.post(path, body, content_type=JSON, headers={"X-CSRFToken": client.cookies["csrftoken"].value})
    assert right.status_code == 200
    assert AuditEntry.objects.get(action="approval.approve").detail.get("token") is None


def test_a_form_of_a_session_is_malformed_and_breaks_nothing(approver, approval):
    client = Client()
    client.force_login(approver)
    answer = client.post(f"/api/v1/approvals/{approval.pk}/decide", {"verdict": "approve", "version": "1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_session_of_somebody_who_was_deactivated_lets_nobody_in(approver):
    client = Client()
    client.force_login(approver)
    approver.is_active = False
    approver.save()
    assert client.get("/api/v1/projects").status_code == 401


def test_a_program_needs_none(program, approval):
    assert program.decide(approval).status_code == 200


def test_no_token_opens_a_page(program):
    answer = program.client.get("/approvals/", headers=program.headers)
    assert answer.status_code == 302
    assert program.client.get("/account/tokens/", headers=program.headers).status_code == 302


def test_a_use_is_written_down_at_most_once_a_minute(program):
    program.get("/projects")
    first = ApiToken.objects.get().last_used_at
    assert first
    program.get("/projects")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    program.get("/projects")
    assert ApiToken.objects.get().last_used_at >= first - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("name", "seconds", "field"),
    [
        (" ", 60, "name"),
        ("x" * 101, 60, "name"),
        ("\0", 60, "name"),
        ("x", 59, "seconds"),
        ("x", 366 * 86400, "seconds"),
    ],
)
def test_a_token_that_does_not_fit_is_not_made(db, name, seconds, field):
    with pytest.raises(InvalidInput) as refused:
        tokens.make(make_user(), name, seconds=seconds)
    assert list(refused.value.data["fields"]) == [field]
    assert not ApiToken.objects.exists()


def test_nobody_has_more_tokens_in_force_than_can_be_looked_through(db, monkeypatch):
    monkeypatch.setattr(tokens, "MOST", 2)
    user = make_user()
    first, _ = tokens.make(user, "one", seconds=None)
    tokens.make(user, "two", seconds=None)
    with pytest.raises(InvalidInput):
        tokens.make(user, "three", seconds=None)
    tokens.revoke(first.pk, by=user)
    assert tokens.make(user, "three", seconds=60)


def test_a_hash_is_no_token(program):
    with pytest.raises(Unauthenticated):
        tokens.holder(ApiToken.objects.get().hash)
    with pytest.raises(Unauthenticated):
        tokens.holder(ApiToken.objects.get().prefix)


def lose_the_database(_):
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE; SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_database_that_is_away_is_said_in_json(transactional_db, approver, monkeypatch):
    program = Program(approver)
    with monkeypatch.context() as now:
        now.setattr("orchestrator.api.projects.memberships.of_person", lose_the_database)
        answer = program.get("/projects")
    connection.close()
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer["Retry-After"] == "3"
    assert program.get("/projects").status_code == 200
