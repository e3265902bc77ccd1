"""What programs read of decided requests: who or what decided what, when, and what came of it."""

import base64
import json
from datetime import datetime, timedelta

import pytest

from agents.lifecycle import ExecutionStatus, RuleVerdict
from agents.models import Approval, ToolExecution
from agents.roles import Role
from agents.services import rules
from agents.services.conclusions import Decision
from agents.services.decisions import decide
from agents.services.rules import Rule
from tests.factories import make_member, make_mission, make_project
from tests.orchestrator.api.conftest import REPORT, Program
from tests.orchestrator.web.situations import ask

pytestmark = pytest.mark.django_db
DECIDED = "/approvals/decided"


@pytest.fixture
def several(program, other, project, approver):
    """Decided requests; each is called by how it was. And one that is open."""
    made = {name: ask(make_mission(project, approver if name == "mine" else None)) for name in WANTED}
    for name, one in made.items():
        Approval.objects.filter(pk=one.pk).update(title=name)
        verdict, fields = WANTED[name]
        by = program if name == "by me" else other
        assert by.decide(one, verdict, **fields).status_code == 200
    ask(make_mission(project))
    return made


EDITED = {**REPORT, "file_name": "other.md"}
WANTED = {
    "approved": ("approve", {}),
    "edited": ("approve", {"arguments": EDITED}),
    "rejected": ("reject", {"reason": "Not yet."}),
    "mine": ("approve", {}),
    "by me": ("approve", {}),
}
NEWEST = list(WANTED)[::-1]


def titles(answer) -> list[str]:
    return [one["title"] for one in answer.json()["approvals"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, NEWEST),
        ({"outcome": "rejected"}, ["rejected"]),
        ({"outcome": "withdrawn"}, []),
        ({"by": "me"}, ["by me"]),
        ({"by": "person", "outcome": "approved"}, ["by me", "mine", "edited", "approved"]),
        ({"by": "rule"}, []),
        ({"who": "mine"}, ["mine"]),
        ({"risk": "medium"}, NEWEST),
        ({"risk": "high"}, []),
        ({"tool": "publish_report"}, NEWEST),
        ({"agent": "test.three"}, []),
        ({"age": "hour"}, []),
    ],
)
def test_the_newest_decision_comes_first_of_what_fits_every_filter(program, project, several, query, found):
    assert titles(program.get(DECIDED, project=project.pk, **query)) == found


def test_pages_have_each_decision_once_whatever_is_decided_meanwhile(program, other, project, several):
    found, cursor = [], ""
    while cursor is not None:
        page = program.get(DECIDED, project=project.pk, limit=2, cursor=cursor)
        found.append(titles(page))
        cursor = page.json()["next"]
        assert other.decide(ask(make_mission(project))).status_code == 200
    assert found == [NEWEST[:2], NEWEST[2:4], NEWEST[4:]]


def test_a_decision_is_told_with_who_made_it_when_and_what_came_of_it(program, project, several):
    edited = several["edited"]
    ToolExecution.objects.filter(pk=edited.execution_id).update(status=ExecutionStatus.COMPLETED)
    told = {one["title"]: one for one in program.get(DECIDED, project=project.pk).json()["approvals"]}
    one = told["edited"]
    assert (one["id"], one["status"], one["verdict"], one["version"]) == (str(edited.pk), "approved", "approve", 2)
    assert (one["decided_how"], one["decided_by"]["name"], one["decider"]) == ("person", "noor", "noor")
    assert (one["is_edited"], one["effective_tool"], one["ran"], one["rule_id"]) == (True, "", "completed", None)
    edited.refresh_from_db()
    for name in ("decided_at", "dispatched_at"):
        assert abs(datetime.fromisoformat(one[name]) - getattr(edited, name)) < timedelta(milliseconds=1)
    assert (told["approved"]["is_edited"], told["approved"]["ran"]) == (False, "pending")
    assert (told["rejected"]["status"], told["rejected"]["reason"]) == ("rejected", "Not yet.")


def test_what_decides_by_itself_is_told_by_name_and_what_was_withdrawn_has_nobody(program, project, approver):
    rule = rules.make(project.pk, Rule("publish_report", RuleVerdict.APPROVE, "All", {}), by=make_member(project))
    ask(make_mission(project))
    gone = ask(make_mission(project), proposed={**REPORT, "title": "Gone"})
    Approval.objects.filter(pk=gone.pk).update(
        status="withdrawn", rule=None, decided_how="", effective_at=None, dispatched_at=None
    )
    withdrawn, ruled = program.get(DECIDED, project=project.pk).json()["approvals"]
    assert (ruled["decided_how"], ruled["decided_by"], ruled["rule_id"]) == ("rule", None, str(rule.pk))
    assert ruled["decider"] == "the rule “All”"
    assert (withdrawn["status"], withdrawn["decided_how"], withdrawn["decided_by"]) == ("withdrawn", None, None)


def cursor(*at) -> str:
    """One that nobody was given."""
    return base64.urlsafe_b64encode(json.dumps(at).encode()).decode().rstrip("=")


ID = "01a202bb-a6d9-753c-991b-35857f3a68bd"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"project": ""}, "project"),
        ({"outcome": "pending"}, "outcome"),
        ({"outcome": "expired"}, "outcome"),
        ({"by": "noor"}, "by"),
        ({"due": "soon"}, "due"),
        ({"state": "decided"}, "state"),
        ({"age": "old"}, "age"),
        ({"limit": 101}, "limit"),
        ({"tool": "a\0b"}, "tool"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "e30"}, "cursor"),
        ({"cursor": "WzEsMl0"}, "cursor"),
        ({"cursor": "WyIyMDI2LTAxLTAxIiwiMSJd"}, "cursor"),
        ({"cursor": "a" * 501}, "cursor"),
        ({"cursor": cursor("0001-01-01T00:00:00+14:00", ID)}, "cursor"),  # in UTC that is on no calendar
        ({"cursor": cursor("2026-01-01T00:00:00", ID)}, "cursor"),
    ],
)
def test_what_the_list_does_not_know_is_refused_beside_its_name(program, project, query, field):
    answer = program.get(DECIDED, **{"project": project.pk, **query})
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == [field]


def test_a_cursor_of_any_zone_is_read(program, project, several):
    """PostgreSQL itself takes none that is more than sixteen hours away."""
    for path, at in ((DECIDED, ()), ("/approvals", (None, "low"))):
        answer = program.get(path, project=project.pk, cursor=cursor(*at, "2999-01-01T00:00:00+23:00", ID))
        assert answer.status_code == 200
    assert titles(program.get(DECIDED, project=project.pk, cursor=cursor("2999-01-01T00:00:00-23:00", ID))) == NEWEST


def test_a_cursor_of_one_list_is_none_of_the_other(program, project, several):
    for _ in range(2):
        ask(make_mission(project))
    for path, other in ((DECIDED, "/approvals"), ("/approvals", DECIDED)):
        cursor = program.get(path, project=project.pk, limit=1).json()["next"]
        answer = program.get(other, project=project.pk, cursor=cursor)
        assert (answer.status_code, list(answer.json()["fields"])) == (422, ["cursor"])


def test_a_viewer_reads_it_and_a_stranger_does_not(project, several):
    assert titles(Program(make_member(project, Role.VIEWER)).get(DECIDED, project=project.pk)) == NEWEST
    stranger = make_member(make_project(), Role.ADMIN)
    assert Program(stranger).get(DECIDED, project=project.pk).status_code == 404


def test_it_takes_as_many_queries_for_many_decisions_as_for_one(
    program, project, approval, django_assert_max_num_queries
):
    by = make_member(project)
    decide(approval.pk, Decision("approve"), by=by, version=1)
    program.get(DECIDED, project=project.pk)
    with django_assert_max_num_queries(6) as few:
        assert len(program.get(DECIDED, project=project.pk).json()["approvals"]) == 1
    for _ in range(6):
        decide(ask(make_mission(project)).pk, Decision("approve"), by=by, version=1)
    with django_assert_max_num_queries(len(few)):
        assert len(program.get(DECIDED, project=project.pk).json()["approvals"]) == 7


def test_openapi_says_what_can_be_asked_for(program):
    schema = program.client.get("/api/openapi.json", headers=program.headers).json()
    told = schema["paths"]["/api/v1/approvals/decided"]["get"]
    assert {one["name"] for one in told["parameters"]} == {
        "project", "who", "outcome", "by", "risk", "tool", "agent", "age", "limit", "cursor",
    }  # fmt: skip
    forms = schema["components"]["schemas"]
    assert forms["Outcome"]["enum"] == ["approved", "rejected", "answered", "withdrawn"]
    assert forms["By"]["enum"] == ["me", "person", "rule", "policy", "deadline"]
