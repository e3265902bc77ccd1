"""Each event says what led to it: from a person's click to the last event of a mission."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone

from agents.actor import SYSTEM, agent
from agents.events import store
from agents.events.types import SessionControlled
from agents.lifecycle import SessionStatus
from agents.models import AgentEvent, AgentSession, AuditEntry, SessionLease
from agents.roles import Level, Role
from agents.services import leases, sessions
from orchestrator import sweeper
from orchestrator.actions import agents
from orchestrator.runtime import runner
from tests.factories import make_member, make_mission, make_project
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.test_research import decide, start

pytestmark = pytest.mark.django_db(transaction=True)


def moves(session: AgentSession) -> list[AgentEvent]:
    found = AgentEvent.objects.filter(aggregate_id=session.pk, event_type__in=["session.created", "session.moved"])
    return list(found.order_by("version"))


def move_to(session: AgentSession, status: str, cause: str = "") -> AgentEvent:
    return next(
        one for one in moves(session) if (one.event_data["status"], one.event_data.get("cause", "")) == (status, cause)
    )


def graph(mission: AgentSession) -> dict[UUID, set[UUID]]:
    """Causes by event and act. An act's cause is what it was about: the request that it decided."""
    events = list(AgentEvent.objects.filter(correlation_id=mission.pk))
    found = {one.event_id: {one.causation_id} if one.causation_id else set() for one in events}
    requests = {one.aggregate_id: one.event_id for one in events if one.event_type == "approval.requested"}
    for act in AuditEntry.objects.filter(pk__in={one.causation_id for one in events}):
        found[act.pk] = {requests[act.target_id]} if act.target_id in requests else set()
    return found


def origins(causes_of: dict[UUID, set[UUID]]) -> set[UUID]:
    """What everything goes back to. Fails where something goes back to itself, or to what is not there."""
    roots: dict[UUID, UUID] = {}
    for one in causes_of:
        passed = [one]
        while passed[-1] not in roots and causes_of[passed[-1]]:
            (before,) = causes_of[passed[-1]]
            assert before not in passed, "a circle"
            passed.append(before)
        roots |= dict.fromkeys(passed, roots.get(passed[-1], passed[-1]))
    return set(roots.values())


def test_everything_in_a_mission_goes_back_to_the_click_that_started_it():
    operator = make_member(make_project(), Role.ADMIN)
    mission = start(operator)
    run_all()
    decide(operator, "approve")
    run_all()
    mission.refresh_from_db()
    assert mission.status == SessionStatus.SUCCEEDED
    click = AuditEntry.objects.get(action="mission.start")
    found = graph(mission)
    assert origins(found) == {click.pk}
    last = AgentEvent.objects.filter(correlation_id=mission.pk).order_by("timestamp").last()
    assert last.event_id in found
    assert {one.correlation_id for one in AgentEvent.objects.all()} == {mission.pk}


def test_children_are_caused_by_the_move_that_set_their_parent_to_work(mission):
    root = mission(below=(2,))
    runner.run_next(Level.QUEEN)
    running = move_to(root, "running")
    for child in AgentSession.objects.filter(parent=root):
        (created,) = moves(child)
        assert created.causation_id == running.event_id
    assert move_to(root, "waiting_children", "asked").causation_id == running.event_id


def test_an_answer_is_caused_by_the_end_of_the_last_child(mission):
    root = mission(below=(2,))
    run_all()
    answered = move_to(root, "queued", "answered:children")
    ends = [move_to(child, "succeeded") for child in AgentSession.objects.filter(parent=root)]
    assert answered.causation_id == max(ends, key=lambda one: one.timestamp).event_id
    assert moves(root)[-2].causation_id == answered.event_id  # it runs again


def test_an_answer_is_caused_by_the_decision_and_the_decision_by_the_click(mission):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    operator = make_member(root.project, Role.ADMIN)
    decide(operator, "approve")
    decided = AgentEvent.objects.get(event_type="approval.decided")
    assert decided.causation_id == AuditEntry.objects.get(action="approval.approve").pk
    assert move_to(root, "queued", "answered:approval").causation_id == decided.event_id


def test_a_queued_agent_that_is_claimed_was_queued_by_something(mission):
    root = mission("test.worker")
    session = leases.claim(Level.WORKER, holder="here", lease=timedelta(seconds=6), max_running=9)
    created, claimed = moves(root)
    assert claimed.causation_id == created.event_id
    assert session.move_id == claimed.event_id
    assert created.causation_id is None


def test_a_lost_worker_is_nobody_s_doing(mission):
    root = mission("test.worker")
    leases.claim(Level.WORKER, holder="here", lease=timedelta(seconds=6), max_running=9)
    SessionLease.objects.update(until=timezone.now() - timedelta(seconds=1))
    sweeper.requeue_lost()
    requeued = move_to(root, "queued", "lease_expired")
    assert requeued.causation_id is None
    run_all()
    assert [one.causation_id for one in moves(root)][3:] == [one.event_id for one in moves(root)][2:-1]


def test_agents_that_nobody_waits_for_are_stopped_because_of_the_one_above(mission):
    root = mission(below=(2,), needs="any")
    runner.run_next(Level.QUEEN)
    while not AgentSession.objects.filter(pk=root.pk, status="queued").exists():
        assert runner.run_next(Level.ARCHITECT)
    runner.run_next(Level.QUEEN)
    sweeper.cancel_abandoned()
    left = AgentSession.objects.get(parent=root, status="cancelled")
    assert move_to(left, "cancelled", "cancelled").causation_id == move_to(root, "succeeded").event_id


def test_a_click_causes_all_that_it_stops(mission):
    root = mission(below=(2,))
    runner.run_next(Level.QUEEN)
    operator = make_member(root.project, Role.OPERATOR)
    agents.cancel(operator, root.pk)
    click = AuditEntry.objects.get()
    stopped = AgentEvent.objects.filter(event_data__status="cancelled")
    assert stopped.count() == 3
    assert {one.causation_id for one in stopped} == {click.pk}


def test_two_clicks_are_two_acts(mission):
    root = mission("test.worker")
    operator = make_member(root.project, Role.OPERATOR)
    agents.pause(operator, root.pk)
    agents.resume(operator, root.pk)
    paused, resumed = AuditEntry.objects.order_by("created_at")
    assert move_to(root, "paused", "paused").causation_id == paused.pk
    assert move_to(root, "queued", "resumed").causation_id == resumed.pk


def test_what_a_late_worker_did_was_caused_by_its_own_attempt(mission, monkeypatch):
    root = mission("test.worker")

    def lose_the_lease(caller, arguments):
        SessionLease.objects.update(until=timezone.now() - timedelta(seconds=1))
        sweeper.requeue_lost()
        return {}

    run_tool(monkeypatch, "leave_trace", lose_the_lease)
    runner.run_next(Level.WORKER)
    completed = AgentEvent.objects.get(event_type="tool.moved", event_data__status="completed")
    requeued = move_to(root, "queued", "lease_expired")
    assert completed.version > requeued.version
    assert completed.causation_id == move_to(root, "running").event_id


def test_an_agent_s_events_are_caused_by_its_last_move_where_nothing_else_is_known():
    session = make_mission()
    with transaction.atomic():
        locked = sessions.lock(session.pk)
        sessions.move(locked, SessionStatus.PAUSED, actor=agent(session.pk))
        store.record(SessionControlled(control=""), locked, actor=agent(session.pk))
        store.record(SessionControlled(control=""), locked, actor=SYSTEM)
    created, paused, said, pressed = AgentEvent.objects.order_by("version")
    assert paused.causation_id == created.event_id
    assert said.causation_id == paused.event_id
    assert pressed.causation_id is None
