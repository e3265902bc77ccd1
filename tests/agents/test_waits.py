"""Waits: children are started once, counted down once, and answer as soon as enough of them are back."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone

from agents.actor import Actor
from agents.errors import DelegationRefused, InvalidTransition
from agents.lifecycle import ChildrenNeeded, Control, SessionStatus, WaitKind
from agents.models import AgentCommunication, AgentParticipant, AgentSession, SessionWait
from agents.roles import MAX_FAN_OUT, Level
from agents.services import control, endings, sessions, waits
from agents.services.endings import Ending
from agents.services.sessions import Start
from agents.services.waits import Question
from orchestrator import sweeper
from tests.factories import make_mission, running
from tests.races import at_once

QUESTION = Question("i1", WaitKind.CHILDREN, "children:work", {}, subject="agents", reason="they work")


def start(level: Level = Level.ARCHITECT, number: int = 0) -> Start:
    return Start(agent_type="test.architect", level=level, name=f"A{number}", goal="do", input={"n": number})


def delegate(mission: AgentSession, count: int, needs=ChildrenNeeded.ALL, needed=0, level=Level.ARCHITECT, **more):
    """Park a running mission on `count` children; they are returned running."""
    with transaction.atomic():
        locked = sessions.lock(mission.pk)
        waits.delegate(
            locked, QUESTION, [start(level, number) for number in range(count)], needs=needs, needed=needed, **more
        )
        if count:
            sessions.move(locked, SessionStatus.WAITING_CHILDREN, actor=Actor("system"))
    return [running(child) for child in AgentSession.objects.filter(parent=mission).order_by("position")]


@transaction.atomic
def finish(child: AgentSession, status: SessionStatus = SessionStatus.SUCCEEDED) -> None:
    endings.finish(sessions.lock(child.pk), Ending(status, output={"n": child.position}))


def status_of(session: AgentSession) -> str:
    session.refresh_from_db()
    return session.status


@pytest.mark.django_db
def test_a_delegation_is_made_once_with_its_group_and_assignments():
    mission = running(make_mission())
    children = delegate(mission, 3)
    with transaction.atomic():
        waits.delegate(
            sessions.lock(mission.pk), QUESTION, [start(number=n) for n in range(3)], needs=ChildrenNeeded.ALL, needed=0
        )
    assert AgentSession.objects.filter(parent=mission).count() == 3
    assert [child.root_id for child in children] == [mission.pk] * 3
    assert children[0].path == [mission.pk]
    assert AgentParticipant.objects.filter(coordination=mission.coordination).count() == 3
    assert AgentCommunication.objects.filter(message_type="task_assignment").count() == 3


@pytest.mark.django_db
def test_the_last_child_answers_and_queues_the_parent():
    mission = running(make_mission())
    first, second = delegate(mission, 2)
    finish(first)
    assert status_of(mission) == SessionStatus.WAITING_CHILDREN
    finish(second, SessionStatus.FAILED)
    assert status_of(mission) == SessionStatus.QUEUED
    wait = SessionWait.objects.get()
    assert wait.answer["key"] == "children:work"
    assert [child["status"] for child in wait.answer["value"]] == ["succeeded", "failed"]
    assert [child["output"] for child in wait.answer["value"]] == [{"n": 0}, {"n": 1}]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("needs", "needed", "enough"), [(ChildrenNeeded.ANY, 0, 1), (ChildrenNeeded.SOME, 2, 2), (ChildrenNeeded.ALL, 0, 4)]
)
def test_the_parent_goes_on_with_as_many_as_it_needs(needs, needed, enough):
    mission = running(make_mission())
    children = delegate(mission, 4, needs, needed)
    for child in children[: enough - 1]:
        finish(child)
    assert status_of(mission) == SessionStatus.WAITING_CHILDREN
    finish(children[enough - 1])
    assert status_of(mission) == SessionStatus.QUEUED
    assert {pk for pk in waits.abandoned()} == {child.pk for child in children[enough:]}


@pytest.mark.django_db
def test_failures_do_not_count_as_enough_but_all_of_them_end_the_wait():
    mission = running(make_mission())
    children = delegate(mission, 2, ChildrenNeeded.ANY)
    finish(children[0], SessionStatus.FAILED)
    assert status_of(mission) == SessionStatus.WAITING_CHILDREN
    finish(children[1], SessionStatus.FAILED)
    assert status_of(mission) == SessionStatus.QUEUED


@pytest.mark.django_db
def test_a_delegation_to_nobody_is_answered_at_once():
    mission = running(make_mission())
    delegate(mission, 0)
    assert SessionWait.objects.get().answer["value"] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("level", "count", "message"),
    [
        (Level.SPECIALIST, 1, "A queen may not start a specialist."),
        (Level.QUEEN, 1, "A queen may not start a queen."),
        (Level.ARCHITECT, MAX_FAN_OUT[Level.QUEEN] + 1, "at once"),
    ],
)
def test_the_hierarchy_has_limits(level, count, message):
    mission = running(make_mission())
    with pytest.raises(DelegationRefused, match=message):
        delegate(mission, count, level=level)
    assert not AgentSession.objects.filter(parent=mission).exists()


@pytest.mark.django_db
def test_a_type_of_agent_may_start_more_than_its_level_does():
    mission = running(make_mission())
    with pytest.raises(DelegationRefused, match="may start 2 agents at once"):
        delegate(mission, 3, most=2)
    assert len(delegate(mission, MAX_FAN_OUT[Level.QUEEN] + 1, most=100)) == MAX_FAN_OUT[Level.QUEEN] + 1


@pytest.mark.django_db(transaction=True)
def test_children_that_end_at_once_answer_once():
    mission = running(make_mission())
    children = delegate(mission, 8)
    outcomes = at_once(*[partial(finish, child) for child in children])
    assert outcomes == [None] * 8
    assert status_of(mission) == SessionStatus.QUEUED
    wait = SessionWait.objects.get()
    assert (wait.remaining, wait.succeeded, len(wait.answer["value"])) == (0, 8, 8)


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_meets_a_parking_session_wakes_it():
    """The answer must wait for the running session's row: else the session parks and sleeps for ever."""
    mission = running(make_mission())

    def park() -> None:
        with transaction.atomic():
            locked = sessions.lock_attempt(mission.pk, mission.attempt)
            assert locked is not None
            _ = waits.open_wait(locked, QUESTION)
            still_open = waits.are_open(locked, ["i1"])
            target = SessionStatus.WAITING_CHILDREN if still_open else SessionStatus.QUEUED
            sessions.move(locked, target, actor=Actor("system"))

    def answer() -> None:
        with transaction.atomic():
            locked = sessions.lock(mission.pk)
            wait, _ = waits.open_wait(locked, QUESTION)
            waits.answer(locked, wait, "yes")

    assert at_once(park, answer) == [None, None]
    assert status_of(mission) == SessionStatus.QUEUED


@pytest.mark.django_db
def test_a_wait_is_answered_once():
    mission = running(make_mission())
    with transaction.atomic():
        locked = sessions.lock(mission.pk)
        wait, _ = waits.open_wait(locked, QUESTION)
        assert waits.answer(locked, wait, "first")
        assert not waits.answer(locked, wait, "second")
    wait.refresh_from_db()
    assert wait.answer["value"] == "first"


@pytest.mark.django_db
def test_a_child_can_be_tried_again_while_the_parent_waits_and_not_later():
    mission = running(make_mission())
    first, second = delegate(mission, 2)
    finish(first, SessionStatus.FAILED)
    retried = control.retry(first.pk, actor=Actor("system"))
    assert (retried.status, retried.current_run.number) == (SessionStatus.QUEUED, 2)
    finish(running(first))
    finish(second)
    assert [child["status"] for child in SessionWait.objects.get().answer["value"]] == ["succeeded", "succeeded"]
    with pytest.raises(InvalidTransition, match="Only an agent that failed"):
        control.retry(first.pk, actor=Actor("system"))


@pytest.mark.django_db
def test_a_child_that_failed_too_early_for_its_parent_says_whom_to_retry():
    mission = running(make_mission())
    (only,) = delegate(mission, 1)
    finish(only, SessionStatus.FAILED)
    with pytest.raises(InvalidTransition, match="retry that one instead"):
        control.retry(only.pk, actor=Actor("system"))


@pytest.mark.django_db
def test_what_is_missing_is_named_for_each_child_without_a_result():
    mission = running(make_mission())
    back, failed, stopped, late = delegate(mission, 4, ChildrenNeeded.SOME, 2)
    with transaction.atomic():
        endings.finish(sessions.lock(failed.pk), Ending(SessionStatus.FAILED, error="No model."))
        endings.finish(sessions.lock(stopped.pk), Ending(SessionStatus.CANCELLED))
    finish(back)
    assert SessionWait.objects.get().answer is None
    finish(late)
    named = [child["missing"] for child in SessionWait.objects.get().answer["value"]]
    assert named == ["", "it failed: No model.", "it was stopped", ""]


@pytest.mark.django_db
@pytest.mark.parametrize("others_go_on", [False, True])
def test_the_others_are_stopped_or_go_on_as_the_delegating_agent_asks(others_go_on):
    mission = running(make_mission())
    first, second, third = delegate(mission, 3, ChildrenNeeded.ANY, others_go_on=others_go_on)
    finish(second)
    named = [child["missing"] for child in SessionWait.objects.get().answer["value"]]
    then = "goes on" if others_go_on else "is stopped"
    assert named == [f"it had not finished when 1 of 3 were back, and {then}", "", named[0]]
    sweeper.cancel_abandoned()
    asked = [fresh_control(child) for child in (first, third)]
    assert asked == ([Control.NONE] * 2 if others_go_on else [Control.CANCEL] * 2)
    finish(first)
    assert SessionWait.objects.get().answer["value"][0]["status"] == "running"


@pytest.mark.django_db
def test_others_that_go_on_are_stopped_when_the_agent_above_has_ended():
    mission = running(make_mission())
    first, second = delegate(mission, 2, ChildrenNeeded.ANY, others_go_on=True)
    finish(first)
    assert waits.abandoned() == {}
    finish(running(mission))
    mission.refresh_from_db()
    assert waits.abandoned() == waits.abandoned(within=timedelta(minutes=1)) == {second.pk: mission.move_id}


@pytest.mark.django_db
def test_who_was_left_behind_long_ago_is_found_when_all_are_looked_at():
    mission = running(make_mission())
    first, second = delegate(mission, 2, ChildrenNeeded.ANY)
    finish(first)
    AgentSession.objects.filter(pk=mission.pk).update(moved_at=timezone.now() - timedelta(minutes=2))
    assert waits.abandoned(within=timedelta(minutes=1)) == {}
    assert set(waits.abandoned()) == {second.pk}


def fresh_control(session: AgentSession) -> str:
    session.refresh_from_db()
    return session.control
