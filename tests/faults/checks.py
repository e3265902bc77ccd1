"""What must be so when a mission has ended, whatever was done to it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q

from agents.lifecycle import FINAL, ApprovalStatus, ExecutionStatus, RunStatus, SessionStatus
from agents.models import (
    AgentCommunication,
    AgentMessage,
    AgentParticipant,
    AgentRun,
    AgentSession,
    AgentState,
    Approval,
    SessionLease,
    SessionWait,
    ToolExecution,
)
from agents.words import ParticipantStatus
from orchestrator.actions.events import verification
from tests.faults.agents import World

Faults = list[str]


def faults_of(mission_id: UUID, expected: Sequence[str], agents: int) -> Faults:
    """What is wrong with an ended mission, in sentences; none if all is well.

    `expected`: the names of those who must have changed the world, each once.
    """
    found = _agents(mission_id, agents) + _effects(mission_id, expected) + _history(mission_id)
    for sentence, stuck in STUCK.items():
        if rows := list(stuck(mission_id)):
            found.append(f"{len(rows)} {sentence}: {', '.join(map(str, rows[:5]))}")
    return found


def unfinished(mission_id: UUID) -> Faults:
    """The agents of a mission that have not ended, and what they wait for."""
    found = AgentSession.objects.filter(root=mission_id).exclude(status__in=FINAL).order_by("depth", "name")
    return [
        f"{session.name} {session.status} attempt {session.attempt} {session.control}"
        f" waits {list(session.waits.filter(answered_at__isnull=True).values_list('kind', 'remaining'))}"
        for session in found[:20]
    ]


def _agents(mission_id: UUID, agents: int) -> Faults:
    statuses = AgentSession.objects.filter(root=mission_id).values_list("status")
    counts = dict(statuses.annotate(Count("pk")).order_by())
    if counts == {SessionStatus.SUCCEEDED: agents}:
        return []
    failed = AgentSession.objects.filter(root=mission_id, status=SessionStatus.FAILED)
    why = [f"{name}: {error}" for name, error in failed.values_list("name", "current_run__error")]
    return [f"the agents have ended as {counts}", *why]


def _effects(mission_id: UUID, expected: Sequence[str]) -> Faults:
    """Each effect happened exactly once, and the ledger says so."""
    world = World.read()
    rows = ToolExecution.objects.filter(session__root=mission_id)
    found: Mapping[str, Iterable[object]] = {
        "lost effects": [name for name in expected if not world.names[name]],
        "doubled effects": [name for name in expected if world.names[name] > 1],
        "calls of which ledger and world differ": [
            row.pk for row in rows if row.status != ExecutionStatus.COMPLETED or world.effects[row.pk] != 1
        ],
        "calls that nobody expected": [row.pk for row in rows][len(expected) :],
    }
    return [f"{what}: {', '.join(map(str, of))}" for what, of in found.items() if of]


def _history(mission_id: UUID) -> Faults:
    """Each chain is sound, and each session, approval, communication and memory is as its events tell."""
    return list(map(str, verification(mission_id).faults()))


_ENDED = Q(session__status__in=FINAL)
STUCK: Mapping[str, Callable[[UUID], Iterable[Any]]] = {
    "agents with a control that nobody obeys": lambda root: AgentSession.objects.filter(
        root=root, status__in=FINAL
    ).exclude(control=""),
    "runs that are active without their agent": lambda root: AgentRun.objects.filter(
        _ENDED, session__root=root, status=RunStatus.ACTIVE
    ),
    "open waits of ended agents": lambda root: SessionWait.objects.filter(
        _ENDED, session__root=root, answered_at__isnull=True
    ),
    "leases of agents that do not run": lambda root: SessionLease.objects.filter(session__root=root).exclude(
        session__status=SessionStatus.RUNNING
    ),
    "requests of ended agents that are put before people": lambda root: Approval.objects.filter(
        _ENDED, session__root=root, status=ApprovalStatus.PENDING
    ),
    "tool calls of ended agents that are said to run": lambda root: ToolExecution.objects.filter(
        _ENDED, session__root=root, status=ExecutionStatus.RUNNING
    ),
    "ended agents that their group takes for active": lambda root: AgentParticipant.objects.filter(
        _ENDED, session__root=root, status=ParticipantStatus.ASSIGNED
    ),
    "tasks of ended agents that are not answered": lambda root: AgentCommunication.objects.filter(
        receiver_session__root=root, requires_response=True, processed_at__isnull=True
    ),
    "waits whose children are counted wrongly": lambda root: (
        SessionWait.objects.filter(session__root=root, kind="children")
        .annotate(ended=Count("children", filter=Q(children__status__in=FINAL)), all=Count("children"))
        .exclude(remaining=F("all") - F("ended"))
    ),
    "threads without exactly one current state": lambda root: (
        AgentState.objects.filter(session__root=root)
        .values("session", "checkpoint_ns")
        .annotate(current=Count("pk", filter=Q(is_current=True)))
        .exclude(current=1)
    ),
    "states that two others follow": lambda root: (
        AgentState.objects.filter(session__root=root, parent_id__isnull=False)
        .values("session", "checkpoint_ns", "parent_id")
        .annotate(following=Count("pk"))
        .exclude(following=1)
    ),
    "messages that were said twice": lambda root: (
        AgentMessage.objects.filter(session__root=root)
        .values("session", "content")
        .annotate(times=Count("pk"))
        .exclude(times=1)
    ),
}
