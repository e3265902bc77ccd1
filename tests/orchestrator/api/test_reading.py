"""What programs read: lists, one request, its trail, projects."""

from datetime import timedelta
from uuid import uuid4

import pytest

from agents.lifecycle import Risk
from agents.models import Approval, Sight
from agents.roles import Role
from tests.agents import desk
from tests.factories import make_member, make_mission, make_project
from tests.orchestrator.api.conftest import REPORT, Program
from tests.orchestrator.web.situations import ask

pytestmark = pytest.mark.django_db


@pytest.fixture
def several(project, approver):
    """Requests that differ in all that can be filtered by; each is called by what it is."""
    made = {
        "mine": ask(make_mission(project, approver)),
        "low": ask(make_mission(project), risk=Risk.LOW),
        "due": ask(make_mission(project)),
        "old": ask(make_mission(project)),
        "pay": ask(make_mission(project)),
        "me": ask(make_mission(project)),
        "other agent": ask(make_mission(project, agent_type="test.three")),
        "high": ask(make_mission(project), risk=Risk.HIGH),
        "later": ask(make_mission(project)),
    }
    hour = timedelta(hours=1)
    changes = {
        "due": {"deadline_at": made["due"].created_at + hour / 2},
        "later": {"deadline_at": made["due"].created_at + 5 * hour},
        "old": {"created_at": made["old"].created_at - 25 * hour},
        "pay": {"tool_name": "pay"},
        "me": {"assigned_to": approver},
    }
    for name, one in made.items():
        Approval.objects.filter(pk=one.pk).update(title=name, **changes.get(name, {}))
    return made


def titles(answer) -> list[str]:
    return [one["title"] for one in answer.json()["approvals"]]


EVERY = ["due", "later", "high", "old", "mine", "pay", "me", "other agent", "low"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, EVERY),
        ({"who": "mine"}, ["mine"]),
        ({"who": "me"}, ["me"]),
        ({"risk": "low"}, ["low"]),
        ({"due": "soon"}, ["due"]),
        ({"age": "hour"}, ["old"]),
        ({"age": "week"}, []),
        ({"tool": "pay"}, ["pay"]),
        ({"agent": "test.three"}, ["other agent"]),
        ({"risk": "low", "tool": "pay"}, []),
    ],
)
def test_the_list_has_the_filters_and_the_order_of_the_page(program, project, several, query, found):
    assert titles(program.get("/approvals", project=project.pk, **query)) == found


@pytest.mark.parametrize("size", [1, 2, 4, 9])
def test_pages_follow_each_other_without_gaps_or_doubles(program, project, several, size):
    found, cursor = [], ""
    for _ in range(20):
        page = program.get("/approvals", project=project.pk, limit=size, cursor=cursor)
        assert len(page.json()["approvals"]) <= size
        found += titles(page)
        cursor = page.json()["next"]
        if cursor is None:
            break
    assert found == EVERY


def test_requests_of_one_moment_are_told_apart_by_cursors(program, project, approval):
    made = [ask(make_mission(project)) for _ in range(3)]
    Approval.objects.update(created_at=approval.created_at)
    found, cursor = [], ""
    while cursor is not None:
        page = program.get("/approvals", project=project.pk, limit=1, cursor=cursor).json()
        found += [one["id"] for one in page["approvals"]]
        cursor = page["next"]
    assert sorted(found) == sorted(str(one.pk) for one in [approval, *made])


@pytest.mark.parametrize("names", [{"deadline_at": None}, {}])
def test_a_page_stays_where_it_is_when_what_came_before_it_was_decided(program, project, several, names):
    Approval.objects.update(**names)
    before = program.get("/approvals", project=project.pk, limit=3).json()
    rest = titles(program.get("/approvals", project=project.pk, cursor=before["next"]))
    for one in before["approvals"]:
        assert program.decide(Approval.objects.get(pk=one["id"])).status_code == 200
    assert titles(program.get("/approvals", project=project.pk, cursor=before["next"])) == rest


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"project": ""}, "project"),
        ({"limit": 101}, "limit"),
        ({"limit": 0}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"risk": "nonsense"}, "risk"),
        ({"age": "old"}, "age"),
        ({"who": "they"}, "who"),
        ({"tool": "a\0b"}, "tool"),
        ({"status": "pending"}, "status"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": "e30"}, "cursor"),
        ({"cursor": "W251bGwsIm1lZGl1bSIsIjIwMjYtMDEtMDEiLDFd"}, "cursor"),
        ({"cursor": "WzEsMl0"}, "cursor"),
        ({"cursor": "a" * 501}, "cursor"),
    ],
)
def test_what_the_list_does_not_know_is_refused_beside_its_name(program, project, approval, query, field):
    answer = program.get("/approvals", **{"project": project.pk, **query})
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == [field]


def test_a_list_without_a_project_is_refused(program):
    answer = program.get("/approvals")
    assert (answer.status_code, answer.json()["fields"]) == (422, {"project": "Field required."})


def test_the_list_takes_as_many_queries_for_many_requests_as_for_one(
    program, project, approval, django_assert_max_num_queries
):
    program.get("/approvals", project=project.pk)
    with django_assert_max_num_queries(6) as few:
        first = program.get("/approvals", project=project.pk)
    assert first.json()["next"] is None
    for _ in range(12):
        ask(make_mission(project))
    with django_assert_max_num_queries(len(few)):
        answer = program.get("/approvals", project=project.pk, limit=5)
    with django_assert_max_num_queries(len(few)):
        assert len(program.get("/approvals", project=project.pk, cursor=answer.json()["next"]).json()["approvals"]) == 8


def test_one_request_has_all_that_a_decision_needs(program, approval):
    Approval.objects.update(terms={**approval.terms, "people": 2})
    told = program.get(f"/approvals/{approval.pk}").json()
    assert (told["proposed"], told["edited"], told["effective"]) == (REPORT, None, None)
    assert told["allowed"] == ["approve", "edit", "reject"]
    assert (told["status"], told["version"], told["people"]) == ("pending", 1, 2)
    assert told["argument_schema"] == approval.schema
    assert told["answer_schema"] is None
    assert told["terms"]["role"] == "approver"
    assert len(told["proposed_digest"]) == 64
    assert (told["votes"], told["obstacle"], told["decider"], told["decided_by"]) == ([], "", "", None)
    program.decide(approval)
    (said,) = program.get(f"/approvals/{approval.pk}").json()["votes"]
    assert (said["person"]["name"], said["verdict"], said["digest"]) == ("mara", "approve", told["proposed_digest"])


def test_who_may_not_decide_reads_why(project, approval):
    viewer = Program(make_member(project, Role.VIEWER))
    told = viewer.get(f"/approvals/{approval.pk}").json()
    assert told["obstacle"] == "This needs the role approver; yours is viewer."


def test_numbers_come_out_as_they_went_in(program, project):
    given = {"whole": 5, "broken": 5.5, "text": "5", "big": 2**53 + 1, "not": None, "is": True, "list": [1, 1.5]}
    asked = ask(make_mission(project), proposed=given, schema={})
    told = program.get(f"/approvals/{asked.pk}").json()["proposed"]
    assert told == given
    assert [type(told[name]) for name in given] == [type(value) for value in given.values()]


def test_reading_one_counts_as_seeing_it_as_on_the_page(program, approval):
    program.get(f"/approvals/{approval.pk}")
    program.get(f"/approvals/{approval.pk}")
    assert Sight.objects.get().user == program.user
    trail = program.get(f"/approvals/{approval.pk}/trail").json()
    assert [(line["who"], line["what"]) for line in trail["lines"]] == [("Mission", "asked"), ("mara", "saw it")]
    assert trail["chain"] == "sound"


def test_a_list_alone_sees_nothing(program, project, approval):
    program.get("/approvals", project=project.pk)
    assert not Sight.objects.exists()


@pytest.mark.parametrize("tail", ["", "/trail"])
def test_what_is_somebody_elses_looks_like_what_is_not_there(program, tail):
    theirs = desk.request()
    gone, never = program.get(f"/approvals/{theirs.pk}{tail}"), program.get(f"/approvals/{uuid4()}{tail}")
    assert (gone.status_code, never.status_code) == (404, 404)
    assert gone.content == never.content
    assert program.get("/approvals", project=theirs.project_id).status_code == 404
    assert program.get(f"/projects/{theirs.project_id}/people").status_code == 404


def test_projects_are_told_with_the_role_in_each(program, project, approver):
    second = make_project(approver, Role.VIEWER)
    make_project()
    told = [(one["id"], one["name"], one["role"]) for one in program.get("/projects").json()]
    assert told == [(str(project.pk), project.name, "approver"), (str(second.pk), second.name, "viewer")]


def test_the_people_of_a_project_are_told_by_name(program, other, project):
    told = program.get(f"/projects/{project.pk}/people").json()
    assert [(one["id"], one["name"], one["role"]) for one in told] == [
        (str(program.user.pk), "mara", "approver"),
        (str(other.user.pk), "noor", "approver"),
    ]
