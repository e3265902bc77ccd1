"""The trail of a request: on its page and as files."""

import csv
import io
import json

import pytest
from django.db import connection

from agents.events.digests import digest, json_digest
from agents.lifecycle import Risk
from agents.models import Approval
from agents.roles import Role
from tests.factories import make_member, make_mission
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.situations import REPORT, ask

pytestmark = pytest.mark.django_db


@pytest.fixture
def decided(page, project, approver):
    """A request that two people saw, and of which one took a first decision back."""
    approval = ask(make_mission(project, approver), risk=Risk.LOW)
    noor = signed_in(make_member(project, Role.APPROVER, "noor"))
    for one in (page, noor):
        one.get(f"/approvals/{approval.pk}/")
    page.post(f"/approvals/{approval.pk}/decide/", {"verdict": "approve", "version": 1})
    page.post(f"/approvals/{approval.pk}/undo/")
    form = {"verdict": "reject", "version": 3, "reason": "=HYPERLINK(evil)"}
    noor.post(f"/approvals/{approval.pk}/decide/", form)
    approval.refresh_from_db()
    return approval


def body(answer) -> str:
    return b"".join(answer.streaming_content).decode()


def test_the_trail_tells_who_did_what_in_its_order(page, decided, approver):
    (told,) = json.loads(body(page.get("/approvals/trail.json")))
    assert [(line["who"], line["what"]) for line in told["lines"]] == [
        ("Mission", "asked"),
        (approver.username, "saw it"),
        ("noor", "saw it"),
        (approver.username, "approved"),
        (approver.username, "took the decision back"),
        ("noor", "rejected"),
    ]
    assert told["lines"][0]["digest"] == digest(REPORT)
    assert told["lines"][3]["digest"] == digest(REPORT)
    assert (told["status"], told["decided_by"], told["chain"]) == ("rejected", "noor", "sound")
    assert told["proposed_digest"] == json_digest(REPORT)


def test_a_table_has_a_line_a_request_and_no_formulas(page, decided, approver):
    (line,) = csv.DictReader(io.StringIO(body(page.get("/approvals/trail.csv"))))
    assert line["seen_by"] == f"{approver.username}, noor"
    assert line["reason"] == "'=HYPERLINK(evil)"


def test_a_changed_event_is_named_on_the_page_and_in_the_file(page, decided):
    assert "The chain is sound" in page.get(f"/approvals/{decided.pk}/").content.decode()
    with connection.cursor() as cursor:
        cursor.execute(
            'UPDATE agent_events SET event_data = event_data || \'{"status": "rejected"}\''
            " WHERE aggregate_id = %s AND version = 4",
            [decided.pk],
        )
    assert "at version 4" in page.get(f"/approvals/{decided.pk}/").content.decode()
    (told,) = json.loads(body(page.get("/approvals/trail.json")))
    assert told["chain"] == "broken at version 4"


@pytest.mark.parametrize(
    "days", ["since=yesterday", "since=2026-02-30", "since=2020-01-01", "until=2001-01-01", "until=9999-12-31"]
)
def test_days_that_are_none_are_refused(page, days):
    assert page.get(f"/approvals/trail.csv?{days}").status_code == 422


def test_a_time_without_requests_is_an_empty_file(page, decided):
    assert json.loads(body(page.get("/approvals/trail.json?since=2020-01-01&until=2020-01-31"))) == []
    assert body(page.get("/approvals/trail.csv?since=2020-01-01&until=2020-01-31")).count("\n") == 1


def test_only_who_decides_in_the_project_may_have_it(project, decided):
    ask(make_mission())
    operator = signed_in(make_member(project, Role.OPERATOR))
    assert operator.get("/approvals/trail.json").status_code == 403
    own = json.loads(body(signed_in(make_member(project, Role.APPROVER)).get("/approvals/trail.json")))
    assert [one["approval_id"] for one in own] == [str(decided.pk)]
    assert Approval.objects.count() == 2
