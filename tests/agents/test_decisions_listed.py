"""The list of decided requests: the newest decision first, page by page, and what it is filtered by."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.actor import SYSTEM
from agents.lifecycle import ApprovalStatus, DecidedBy, Risk, RuleVerdict
from agents.models import Approval
from agents.roles import Role
from agents.selectors import approvals, decisions
from agents.selectors.decisions import Filters, Mark, Outcome
from agents.services import control, rules
from agents.services.conclusions import Decision
from agents.services.decisions import decide, undo
from agents.services.rules import Rule
from tests.agents.desk import asked, put
from tests.agents.test_leases import explained, rows_of
from tests.factories import make_member, make_mission, make_project, running

pytestmark = pytest.mark.django_db
REJECT = Decision("reject", reason="Not now.")


@pytest.fixture
def project():
    return make_project()


@pytest.fixture
def mara(project):
    return make_member(project, Role.APPROVER, "mara")


def request(project, agent_type="test.queen", user=None, **changes) -> Approval:
    """A request of a mission of its own."""
    return put(running(make_mission(project, user, agent_type=agent_type)), asked(**changes))[0]


def decided(project, by, decision=None, **changes) -> Approval:
    """A request that a person has decided."""
    return decide(request(project, **changes).pk, decision or Decision("approve"), by=by, version=1)


def listed(project, after=None, limit=50, user=None, **given) -> list[Approval]:
    filters = decisions.asked(given, user.pk) if user else Filters()
    return decisions.listed_after(project.pk, filters, after, limit)


def mark(approval) -> Mark:
    return Mark(approval.decided_at, approval.pk)


def pages(project, limit) -> list[list[Approval]]:
    """All pages, from the newest on."""
    found, after = [], None
    while page := listed(project, after, limit):
        found.append(page)
        after = mark(page[-1])
    return found


def test_every_status_but_open_is_an_outcome():
    assert {one.value for one in Outcome} == {one.value for one in ApprovalStatus} - {"pending"}
    assert {one.value for one in decisions.By} == {"me"} | {one.value for one in DecidedBy}


def test_the_newest_decision_comes_first_and_open_requests_not_at_all(project, mara):
    first, second = request(project), request(project)
    request(project)
    decide(second.pk, REJECT, by=mara, version=1)
    decide(first.pk, Decision("approve"), by=mara, version=1)
    assert listed(project) == [first, second]
    assert decisions.latest(project.pk, 1) == [first]


def test_nothing_of_another_project_is_listed_or_offered(project, mara):
    other = make_project()
    decided(other, make_member(other, Role.APPROVER), tool_name="secret")
    assert listed(project) == []
    assert decisions.latest(project.pk) == []
    assert decisions.offered(project.pk) == decisions.Offered([], [])


def test_pages_have_each_request_once_also_those_that_were_decided_at_the_same_moment(project, mara):
    made = [decided(project, mara) for _ in range(7)]
    Approval.objects.filter(pk__in=[one.pk for one in made[2:6]]).update(decided_at=timezone.now())
    found = [one for page in pages(project, 2) for one in page]
    assert found == listed(project)
    assert sorted(one.pk for one in found) == sorted(one.pk for one in made)
    assert found == sorted(found, key=lambda one: (one.decided_at, one.pk), reverse=True)


def test_what_is_decided_meanwhile_moves_nothing_on_the_pages_after(project, mara):
    made = [decided(project, mara) for _ in range(4)]
    before = listed(project, limit=2)
    after = mark(before[-1])
    rest = listed(project, after)
    decided(project, mara)
    assert listed(project, after) == rest == [made[1], made[0]]


def test_a_mark_holds_its_place_when_its_own_decision_is_taken_back_and_made_again(project, mara):
    made = [decided(project, mara, risk=Risk.LOW) for _ in range(3)]
    after = mark(made[1])
    undone = undo(made[1].pk, by=mara)
    assert listed(project) == [made[2], made[0]]
    decide(undone.pk, REJECT, by=mara, version=undone.version)
    assert listed(project) == [made[1], made[2], made[0]]
    assert listed(project, after) == [made[0]]


@pytest.fixture
def several(project, mara):
    """Decided requests that differ in all that can be filtered by; each is called by what it is."""
    noor = make_member(project, Role.APPROVER, "noor")
    made = {
        "mine": decided(project, noor, user=mara),
        "by me": decided(project, mara),
        "low": decided(project, noor, risk=Risk.LOW),
        "pay": decided(project, noor, tool_name="pay"),
        "other agent": decided(project, noor, agent_type="test.three"),
        "rejected": decided(project, noor, REJECT),
        "answered": decided(project, noor, Decision("respond", reason="Yes."), allowed=("approve", "respond")),
        "withdrawn": request(project),
        "ruled": None,
        "expired": request(project),
        "by policy": request(project),
        "old": decided(project, noor),
        "for me": decided(project, noor),
    }
    control.cancel(made["withdrawn"].session_id, actor=SYSTEM, reason="Enough")
    rules.make(project.pk, Rule("mail", RuleVerdict.APPROVE, "All mail", {}, "", None, None), by=make_member(project))
    made["ruled"] = request(project, tool_name="mail")
    for name, how in (("expired", "deadline"), ("by policy", "policy")):
        Approval.objects.filter(pk=made[name].pk).update(
            status="rejected", reason="No.", decided_how=how, decided_at=timezone.now()
        )
    Approval.objects.filter(pk=made["old"].pk).update(decided_at=timezone.now() - timedelta(hours=25))
    Approval.objects.filter(pk=made["for me"].pk).update(assigned_to=mara)
    for name, one in made.items():
        Approval.objects.filter(pk=one.pk).update(title=name)
    return made


PEOPLE = {"mine", "by me", "low", "pay", "other agent", "rejected", "answered", "old", "for me"}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"who": "mine"}, {"mine"}),
        ({"who": "me"}, {"for me"}),
        ({"risk": "low"}, {"low"}),
        ({"tool": "pay"}, {"pay"}),
        ({"agent": "test.three"}, {"other agent"}),
        ({"outcome": "rejected"}, {"rejected", "expired", "by policy"}),
        ({"outcome": "answered"}, {"answered"}),
        ({"outcome": "withdrawn"}, {"withdrawn"}),
        ({"outcome": "approved"}, PEOPLE - {"rejected", "answered"} | {"ruled"}),
        ({"by": "me"}, {"by me"}),
        ({"by": "person"}, PEOPLE),
        ({"by": "rule"}, {"ruled"}),
        ({"by": "deadline"}, {"expired"}),
        ({"by": "policy"}, {"by policy"}),
        ({"age": "hour"}, {"old"}),
        ({"age": "week"}, set()),
        ({"by": "rule", "outcome": "rejected"}, set()),
        (
            {"outcome": "pending", "by": "nobody", "due": "soon"},
            {*PEOPLE, "withdrawn", "ruled", "expired", "by policy"},
        ),
        ({"outcome": "a\0b", "tool": "a\0b"}, {*PEOPLE, "withdrawn", "ruled", "expired", "by policy"}),
    ],
)
def test_filters_leave_what_fits_all_of_them(project, mara, several, given, found):
    assert {one.title for one in listed(project, user=mara, **given)} == found


def test_age_is_that_of_the_decision_not_of_the_request(project, mara):
    one = decided(project, mara)
    Approval.objects.filter(pk=one.pk).update(created_at=timezone.now() - timedelta(days=9))
    assert listed(project, user=mara, age="hour") == []


def test_the_page_says_who_decided_without_a_further_query(project, mara, several, django_assert_num_queries):
    found = listed(project, user=mara)
    with django_assert_num_queries(0):
        told = {one.title: (one.decider, one.session.root.name, one.execution) for one in found}
    assert told["by me"][0] == "mara"
    assert told["ruled"][0] == "the rule “All mail”"
    assert told["expired"][0] == "its deadline"
    assert told["withdrawn"][0] == "the system"


def test_what_the_latest_decisions_were_about_is_offered_the_most_frequent_first(project, mara):
    for tool in ("pay", "mail", "mail", ""):
        decided(project, mara, tool_name=tool)
    request(project, agent_type="test.three", tool_name="open")
    assert decisions.offered(project.pk) == decisions.Offered(["mail", "pay"], ["test.queen"])


def test_a_page_is_read_from_its_index_at_any_depth(project, mara):
    """However many were decided, only those on the page are read; what a filter leaves out is not read as rows."""
    _copy(decided(project, mara), 10_000)
    deep = mark(Approval.objects.get(position=5000))
    for after in (None, deep):
        plan = _plan(project, Filters(), after)
        assert "approval_decisions" in str(plan)
        assert max(rows_of(plan)) <= 52  # and the one at the mark
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")  # as for rows that are wide
    seldom = Filters(outcome=Outcome.WITHDRAWN, how="rule", about=approvals.Filters(risk="low"))
    plan = _plan(project, seldom, deep)
    assert "'Index Only Scan'" in str(plan)


def _copy(approval: Approval, count: int) -> None:
    """As many more like it, each decided a minute before the other."""
    names = [field.column for field in Approval._meta.concrete_fields]
    others = {"approval_id": "gen_random_uuid()", "position": "n", "decided_at": "decided_at - n * interval '1 minute'"}
    values = ", ".join(others.get(name, name) for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO approvals ({', '.join(names)}) SELECT {values} FROM approvals, generate_series(1, %s) AS n"
            " WHERE approval_id = %s",
            [count, approval.pk],
        )
        cursor.execute("ANALYZE approvals")


def _plan(project, filters, after) -> dict:
    """How the ids of a page were found."""
    with CaptureQueriesContext(connection) as queries:
        decisions.listed_after(project.pk, filters, after, 51)
    return explained(queries[0]["sql"])
