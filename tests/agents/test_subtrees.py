"""One action for an agent and all below it, whatever the others do meanwhile."""

from functools import partial

import pytest
from django.db import transaction

from agents.actor import SYSTEM, agent
from agents.errors import InvalidTransition
from agents.lifecycle import ACTIVE, ApprovalStatus, ChildrenNeeded, Control, SessionStatus, WaitKind
from agents.models import AgentMessage, AgentSession, Approval, SessionWait
from agents.roles import Level
from agents.services import control, endings, sessions, subtrees, waits
from agents.services.endings import Ending
from agents.services.sessions import Start
from agents.services.waits import Question
from tests.factories import make_mission, make_user, running
from tests.orchestrator.web.situations import ask, delegate, end, run
from tests.races import at_once

CHILDREN = Question("i1", WaitKind.CHILDREN, "children:work", {}, subject="agents", reason="they work")


def fresh(session: AgentSession) -> AgentSession:
    return AgentSession.objects.get(pk=session.pk)


@pytest.fixture
def family(db):
    """A queen that waits for two architects; the first waits for two specialists, the second for a person."""
    mission = run(make_mission())
    one, two = delegate(mission, Level.ARCHITECT, "one", "two")
    first, second = delegate(run(one), Level.SPECIALIST, "first", "second")
    run(first)
    ask(two)
    return {"mission": mission, "one": one, "two": two, "first": first, "second": second}


def nothing_is_left(mission: AgentSession) -> bool:
    """No pending request, no open wait, nobody who works and was not told to stop."""
    tree = AgentSession.objects.subtree(mission.pk)
    return not (
        Approval.objects.filter(session__in=tree, status=ApprovalStatus.PENDING).exists()
        or SessionWait.objects.filter(session__in=tree.exclude(status="running"), answered_at__isnull=True).exists()
        or tree.filter(status__in=ACTIVE).exclude(status="running", control=Control.CANCEL).exists()
    )


def test_a_stop_ends_who_waits_at_once_and_tells_who_runs(family):
    outcomes = subtrees.cancel(family["mission"].pk, actor=SYSTEM, reason="enough")
    assert [(one.name, one.is_done, one.is_later) for one in outcomes] == [
        ("Mission", True, False),
        ("one", True, False),
        ("two", True, False),
        ("first", True, True),
        ("second", True, False),
    ]
    assert fresh(family["first"]).control == Control.CANCEL
    assert nothing_is_left(family["mission"])


def test_a_stop_of_a_part_tells_the_agent_above_and_leaves_the_others(family):
    subtrees.cancel(family["one"].pk, actor=SYSTEM, reason="enough")
    assert fresh(family["two"]).status == SessionStatus.WAITING_APPROVAL
    assert SessionWait.objects.get(session=family["mission"]).remaining == 1
    assert nothing_is_left(family["one"])


def test_an_agent_that_ends_is_not_woken_by_those_it_left(family):
    subtrees.cancel(family["one"].pk, actor=SYSTEM, reason="enough")
    end(fresh(family["first"]))
    assert fresh(family["one"]).status == SessionStatus.CANCELLED


def test_a_second_stop_says_what_was_not_done(family):
    subtrees.cancel(family["mission"].pk, actor=SYSTEM, reason="enough")
    again = subtrees.cancel(family["mission"].pk, actor=SYSTEM, reason="enough")
    assert {(one.name, one.is_done, one.why) for one in again} == {
        ("Mission", False, "it had ended"),
        ("one", False, "it had ended"),
        ("two", False, "it had ended"),
        ("second", False, "it had ended"),
        ("first", True, ""),
    }


def test_who_is_started_in_a_paused_subtree_begins_paused(family):
    subtrees.pause(family["mission"].pk, actor=SYSTEM, reason="look first")
    first = sessions.lock_attempt(family["first"].pk, fresh(family["first"]).attempt)
    assert first.control == Control.PAUSE
    start = Start("test.worker", Level.WORKER, "late", "do", {})
    waits.delegate(first, CHILDREN, [start], needs=ChildrenNeeded.ALL, needed=0)
    late = AgentSession.objects.get(name="late")
    assert (late.status, late.control_reason, late.holds_below) == (SessionStatus.PAUSED, "look first", True)
    sessions.move(first, SessionStatus.PAUSED, actor=SYSTEM)
    subtrees.resume(family["mission"].pk, actor=SYSTEM)
    statuses = dict(AgentSession.objects.values_list("name", "status"))
    assert statuses == {
        "Mission": "waiting_children",
        "one": "waiting_children",
        "two": "waiting_approval",
        "first": "waiting_children",
        "second": "queued",
        "late": "queued",
    }
    assert not AgentSession.objects.filter(holds_below=True).exists()


def test_who_is_paused_alone_does_not_hold_those_that_others_start(family):
    control.pause(family["one"].pk, actor=SYSTEM, reason="")
    assert not AgentSession.objects.filter(holds_below=True).exists()
    assert fresh(family["second"]).status == SessionStatus.QUEUED


def test_a_stopped_subtree_is_tried_again_whole(family):
    mission = family["mission"]
    end(family["first"])
    subtrees.cancel(mission.pk, actor=SYSTEM, reason="enough")
    outcomes = subtrees.retry(mission.pk, actor=SYSTEM)
    assert {one.name for one in outcomes} == {"Mission", "one", "two", "second"}
    assert all(one.is_done for one in outcomes)
    assert fresh(family["first"]).status == SessionStatus.SUCCEEDED
    by_owner = dict(SessionWait.objects.filter(kind="children").values_list("session__name", "remaining"))
    assert by_owner == {"Mission": 2, "one": 1}
    end(running(family["second"]))
    wait = SessionWait.objects.get(session=family["one"], kind="children")
    assert [child["status"] for child in wait.answer["value"]] == ["succeeded", "succeeded"]


def test_who_is_tried_again_alone_is_told_that_the_others_were_stopped(family):
    mission = family["mission"]
    end(family["first"])
    subtrees.cancel(mission.pk, actor=SYSTEM, reason="enough")
    control.retry(mission.pk, actor=SYSTEM)
    wait = SessionWait.objects.get(session=mission)
    assert [child["status"] for child in wait.answer["value"]] == ["cancelled", "cancelled"]


def test_a_retry_below_of_an_agent_that_works_is_refused(family):
    with pytest.raises(InvalidTransition, match="still at work"):
        subtrees.retry(family["mission"].pk, actor=SYSTEM)


def test_a_priority_reaches_all_below_and_is_inherited(family):
    subtrees.prioritise(family["one"].pk, 5, actor=SYSTEM)
    assert dict(AgentSession.objects.values_list("name", "priority")) == {
        "Mission": 0,
        "one": 5,
        "two": 0,
        "first": 5,
        "second": 5,
    }


def test_a_message_reaches_each_once(family):
    by, telling = make_user(), family["one"].pk
    for _ in range(2):
        subtrees.tell(family["one"].pk, "Mind the bees", by=by, telling_id=telling)
    told = AgentMessage.objects.filter(message_type="human").order_by("created_at")
    assert [(one.session.name, one.content, one.metadata["by"]) for one in told] == [
        ("one", "Mind the bees", by.get_username()),
        ("first", "Mind the bees", by.get_username()),
        ("second", "Mind the bees", by.get_username()),
    ]


def test_who_has_ended_gets_no_message(family):
    end(family["first"])
    outcomes = subtrees.tell(family["one"].pk, "Mind the bees", by=make_user())
    assert {one.name: one.why for one in outcomes} == {"one": "", "first": "it had ended", "second": ""}


@transaction.atomic
def park_on_children(session: AgentSession, count: int) -> None:
    """What settling does with an agent that delegates: under its lock, after a look at what people want."""
    locked = sessions.lock_attempt(session.pk, session.attempt)
    if locked is None:
        return
    if locked.control == Control.CANCEL:
        endings.finish(locked, Ending(SessionStatus.CANCELLED, error="told to", code="cancelled"))
        return
    starts = [Start("test.architect", Level.ARCHITECT, f"A{n}", "do", {}) for n in range(count)]
    waits.delegate(locked, CHILDREN, starts, needs=ChildrenNeeded.ALL, needed=0)
    rests = SessionStatus.PAUSED if locked.control == Control.PAUSE else SessionStatus.WAITING_CHILDREN
    sessions.move(locked, rests, actor=agent(session.pk))


@transaction.atomic
def succeed(session: AgentSession) -> None:
    locked = sessions.lock(session.pk)
    if locked.status == SessionStatus.RUNNING:
        endings.finish(locked, Ending(SessionStatus.SUCCEEDED, output={}))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_", range(5))
def test_a_child_that_is_being_started_while_all_is_stopped_is_stopped_too(_):
    mission = running(make_mission())
    outcomes = at_once(
        partial(park_on_children, mission, 6),
        partial(subtrees.cancel, mission.pk, actor=SYSTEM, reason="enough"),
    )
    assert outcomes[0] is None
    assert not isinstance(outcomes[1], Exception)
    if fresh(mission).status == SessionStatus.RUNNING:
        park_on_children(mission, 6)
    assert nothing_is_left(mission)
    assert not AgentSession.objects.exclude(status="cancelled").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_", range(5))
def test_a_child_that_is_being_started_while_all_is_paused_is_paused_too(_):
    mission = running(make_mission())
    at_once(
        partial(park_on_children, mission, 6),
        partial(subtrees.pause, mission.pk, actor=SYSTEM, reason="look"),
    )
    if fresh(mission).status == SessionStatus.RUNNING:
        park_on_children(mission, 6)
    assert not AgentSession.objects.exclude(status="paused").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_", range(5))
def test_a_child_that_ends_at_the_moment_of_the_stop_stays_ended_and_nothing_deadlocks(_):
    mission = running(make_mission())
    park_on_children(mission, 8)
    children = [running(child) for child in AgentSession.objects.filter(parent=mission)]
    outcomes = at_once(
        *[partial(succeed, child) for child in children],
        partial(subtrees.cancel, mission.pk, actor=SYSTEM, reason="enough"),
        partial(subtrees.cancel, mission.pk, actor=SYSTEM, reason="me too"),
    )
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    assert set(AgentSession.objects.filter(parent=mission).values_list("status", flat=True)) == {"succeeded"}
    assert fresh(mission).status == SessionStatus.CANCELLED
    assert nothing_is_left(mission)


@pytest.mark.django_db(transaction=True)
def test_a_retry_of_all_and_endings_at_once_do_not_deadlock():
    mission = running(make_mission())
    park_on_children(mission, 6)
    children = [running(child) for child in AgentSession.objects.filter(parent=mission)]
    subtrees.cancel(mission.pk, actor=SYSTEM, reason="enough")
    outcomes = at_once(
        *[partial(end, child, SessionStatus.CANCELLED) for child in children],
        partial(subtrees.retry, mission.pk, actor=SYSTEM),
    )
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    wait = SessionWait.objects.get()
    working = AgentSession.objects.filter(parent=mission, status__in=ACTIVE).count()
    assert (wait.remaining, wait.answered_at is None) == (working, working > 0)
