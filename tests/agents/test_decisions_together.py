"""Many requests that are decided in a few statements: each as it would be by itself, none in the way of another."""

import threading
from functools import partial

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from agents.events import store
from agents.lifecycle import ApprovalStatus, Risk, SessionStatus
from agents.models import AgentEvent, AgentSession, Approval, AuditEntry, Project, SessionWait, User, Vote
from agents.policies.policy import Terms
from agents.services import control, decisions, sessions
from agents.services.conclusions import Decision
from tests.agents.desk import asked, batch, pass_time, put, request
from tests.factories import make_member, make_mission, make_project, running
from tests.races import at_once

APPROVE = Decision("approve", key="press")
REJECT = Decision("reject", reason="Not now", key="press")
pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def ada(project) -> User:
    return make_member(project)


def requests(project: Project, count: int, **changes) -> list[Approval]:
    return [put(running(make_mission(project)), asked(**changes))[0] for _ in range(count)]


def together(approvals: list[Approval], by: User, decision: Decision = APPROVE) -> set:
    return {one.pk for one in decisions.decide_together({one.pk: (decision, one.version) for one in approvals}, by=by)}


def left_by(approval: Approval) -> dict:
    """What a decision left behind, without ids and times."""
    approval.refresh_from_db()
    wait, session = SessionWait.objects.get(pk=approval.wait_id), AgentSession.objects.get(pk=approval.session_id)
    own = ("status", "verdict", "reason", "edited", "effective", "effective_digest", "version", "decided_how")
    vote = Vote.objects.values("verdict", "tool_name", "arguments", "digest", "reason", "key", "user").get(
        approval=approval
    )
    audit = AuditEntry.objects.values("action", "target_type", "detail", "user", "project").get(target_id=approval.pk)
    events = AgentEvent.objects.filter(aggregate_id__in=[approval.pk, session.pk])
    told = [
        (event.event_type, event.version, event.metadata, event.event_data.keys())
        for event in events.order_by("event_type", "version")
    ]
    return {
        "approval": [getattr(approval, name) for name in own] + [approval.decided_by_id],
        "undo": approval.effective_at - approval.decided_at,
        "is_told": approval.dispatched_at == approval.decided_at,
        "wait": (wait.answer, wait.answered_at is not None),
        "session": (session.status, session.finished_at, session.control, session.holds_below),
        "vote": vote,
        "audit": audit,
        "events": [(kind, version, sorted(keys)) for kind, version, _, keys in told],
        "actors": [metadata["actor"] for kind, _, metadata, _ in told if kind == "approval.decided"],
    }


@pytest.mark.parametrize("decision", [APPROVE, REJECT], ids=["approve", "reject"])
@pytest.mark.parametrize("risk", [Risk.LOW, Risk.MEDIUM])
def test_what_is_decided_together_leaves_what_it_leaves_when_it_is_decided_alone(project, ada, decision, risk):
    alone, first, second = requests(project, 3, risk=risk)
    decisions.decide(alone.pk, decision, by=ada, version=1)
    assert together([first, second], ada, decision) == {first.pk, second.pk}
    assert left_by(first) == left_by(second) == left_by(alone)


def test_every_chain_stays_sound_and_names_its_own_cause(project, ada):
    made = requests(project, 3)
    together(made, ada)
    for approval in made:
        assert store.first_break(approval.pk) is None
        assert store.first_break(approval.session_id) is None
        decided = AgentEvent.objects.get(aggregate_id=approval.pk, event_type="approval.decided")
        assert AuditEntry.objects.get(pk=decided.causation_id).target_id == approval.pk
        moved = AgentEvent.objects.filter(aggregate_id=approval.session_id).latest("version")
        assert (moved.event_data["status"], moved.causation_id) == (SessionStatus.QUEUED, decided.pk)
        assert AgentSession.objects.get(pk=approval.session_id).move_id == moved.pk


def test_what_is_not_for_one_press_is_left_as_it_is(project, ada):
    plain, old = requests(project, 2)
    two = requests(project, 1, terms=Terms(people=2))[0]
    own = put(running(make_mission(project, user=ada)), asked(terms=Terms(not_own=True)))[0]
    for_bob = requests(project, 1)[0]
    Approval.objects.filter(pk=for_bob.pk).update(assigned_to=make_member(project))
    strange = request()
    Approval.objects.filter(pk=old.pk).update(version=2)
    assert together([plain, old, two, own, for_bob, strange], ada) == {plain.pk}
    left = Approval.objects.exclude(pk=plain.pk)
    assert set(left.values_list("status", flat=True)) == {ApprovalStatus.PENDING}
    assert Vote.objects.count() == AuditEntry.objects.filter(target_type="approval").count() == 1


def test_nothing_that_can_be_decided_leaves_nothing_behind(ada):
    assert decisions.decide_together({request().pk: (APPROVE, 1)}, by=ada) == []
    assert not Vote.objects.exists()


def test_all_that_one_agent_asks_is_answered_once(ada, project):
    made = batch({"proposed": {"cents": 1}}, {"proposed": {"cents": 2}}, {"proposed": {"cents": 3}})
    bob = make_member(made[0].project)
    assert len(together(made[:2], bob)) == 2
    assert not SessionWait.objects.get().answered_at
    assert len(together(made[2:], bob)) == 1
    assert SessionWait.objects.get().answer["value"]["decisions"] == [{"type": "approve"}] * 3


def test_two_questions_of_one_agent_queue_it_once(ada, project):
    session = running(make_mission(project))
    made = [*put(session, asked(), interrupt="i1"), *put(session, asked(), interrupt="i2")]
    assert len(together(made, ada)) == 2
    moved = AgentEvent.objects.filter(
        aggregate_id=session.pk, event_data__status="queued", event_data__cause="answered:approval"
    )
    assert moved.count() == 1
    assert SessionWait.objects.filter(answered_at__isnull=False).count() == 2


def test_what_can_be_taken_back_is_told_later_and_once(project, ada):
    made = requests(project, 2, risk=Risk.LOW)
    together(made, ada)
    decisions.undo(made[0].pk, by=ada)
    for approval in made:
        pass_time(approval, 5)
    assert [decisions.dispatch(one.pk) for one in made] == [False, True]


def test_the_same_press_again_changes_nothing(project, ada):
    made = requests(project, 2, risk=Risk.LOW)
    together(made, ada)
    decisions.undo(made[0].pk, by=ada)
    made[0].refresh_from_db()
    assert together(made, ada) == set()
    assert together(made[:1], ada, Decision("approve", key="another")) == {made[0].pk}


def test_a_hundred_take_as_many_statements_as_ten(project, ada):
    few, many = requests(project, 10), requests(project, 100)
    with CaptureQueriesContext(connection) as for_few:
        assert len(together(few, ada)) == 10
    with CaptureQueriesContext(connection) as for_many:
        assert len(together(many, ada)) == 100
    assert len(for_many) == len(for_few)


@pytest.mark.django_db(transaction=True)
def test_a_request_that_somebody_holds_is_not_waited_for(project, ada):
    free, held = requests(project, 2)
    holds, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            sessions.lock(held.session_id)
            holds.set()
            may_go.wait(60)

    def decide() -> set:
        holds.wait(60)
        try:
            return together([free, held], ada)
        finally:
            may_go.set()

    assert at_once(hold, decide)[1] == {free.pk}
    held.refresh_from_db()
    assert held.status == ApprovalStatus.PENDING


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_presses_and_an_end_at_once_decide_each_request_once_and_in_no_circle(project, ada, _round):
    made = requests(project, 12)
    bob = make_member(project)
    backwards = made[::-1]
    system = made[0].session
    outcomes = at_once(
        partial(together, made, ada),
        partial(together, backwards, bob, REJECT),
        partial(together, backwards, ada),
        *[partial(decisions.decide, one.pk, REJECT, by=bob, version=1) for one in made[:3]],
        partial(control.cancel, system.pk, actor=decisions.person(bob.pk), reason="Enough"),
    )
    by_press = [one for one in outcomes[:3] if isinstance(one, set)]
    assert len(by_press) == 3
    for approval in made:
        approval.refresh_from_db()
        decided = AgentEvent.objects.filter(aggregate_id=approval.pk, event_type="approval.decided")
        assert decided.count() == (0 if approval.status == ApprovalStatus.PENDING else 1)
        assert sum(approval.pk in one for one in by_press) <= 1
        assert store.first_break(approval.pk) is None
