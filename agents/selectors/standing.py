"""Where an agent stands, as a person reads it, and what it waits for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db import connection

from agents.lifecycle import SessionStatus, WaitKind
from agents.models import AgentSession, SessionWait


class Standing(StrEnum):
    """The groups that screens count and filter by."""

    HUMAN = "human"
    RUNNING = "running"
    WAITING = "waiting"
    QUEUED = "queued"
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DONE = "done"


STANDING: Mapping[SessionStatus, Standing] = {
    SessionStatus.IDLE: Standing.QUEUED,
    SessionStatus.QUEUED: Standing.QUEUED,
    SessionStatus.RUNNING: Standing.RUNNING,
    SessionStatus.WAITING_CHILDREN: Standing.WAITING,
    SessionStatus.WAITING_APPROVAL: Standing.HUMAN,
    SessionStatus.WAITING_EVENT: Standing.WAITING,
    SessionStatus.WAITING_TIMER: Standing.WAITING,
    SessionStatus.PAUSED: Standing.PAUSED,
    SessionStatus.SUCCEEDED: Standing.DONE,
    SessionStatus.FAILED: Standing.FAILED,
    SessionStatus.CANCELLED: Standing.CANCELLED,
}


def standing(session: AgentSession) -> Standing:
    """The group of a session."""
    return STANDING[SessionStatus(session.status)]


def statuses(group: Standing) -> list[SessionStatus]:
    """The statuses of a group."""
    return [status for status, of in STANDING.items() if of is group]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waiting for `subject` since `since` because `reason`."""

    subject: str
    since: datetime
    reason: str


# Who is ahead of whom, in the order in which workers take them.
_AHEAD = """
SELECT session_id, row_number() OVER (PARTITION BY level ORDER BY priority DESC, moved_at) - 1
FROM agent_sessions WHERE status = 'queued'"""


def waiting(sessions: Iterable[AgentSession]) -> dict[UUID, Waiting]:
    """What those of `sessions` that wait, wait for. Two queries, whatever their number."""
    by_id = {session.pk: session for session in sessions}
    opened: dict[UUID, SessionWait] = {}
    for wait in SessionWait.objects.filter(session__in=list(by_id), answered_at__isnull=True).order_by("-created_at"):
        opened[wait.session_id] = wait
    is_queue = any(session.status == SessionStatus.QUEUED for session in by_id.values())
    ahead = _ahead() if is_queue else {}
    found = {pk: _waiting(session, opened.get(pk), ahead.get(pk, 0)) for pk, session in by_id.items()}
    return {pk: reason for pk, reason in found.items() if reason}


def awaited_signals(session: AgentSession) -> list[str]:
    """The names of the signals that an agent waits for, longest first. One query."""
    found = session.waits.filter(kind=WaitKind.EVENT, answered_at__isnull=True).exclude(signal="")
    return list(found.order_by("created_at").values_list("signal", flat=True))


def _ahead() -> dict[UUID, int]:
    with connection.cursor() as cursor:
        cursor.execute(_AHEAD)
        return dict(cursor.fetchall())


def _waiting(session: AgentSession, wait: SessionWait | None, ahead: int) -> Waiting | None:
    group = standing(session)
    if group is Standing.QUEUED:
        others = f"{ahead} other{'s' if ahead > 1 else ''} {'are' if ahead > 1 else 'is'} ahead of it"
        return Waiting("a worker", session.moved_at, others if ahead else "it is the next of its level")
    if group is Standing.PAUSED:
        reason = f"a person paused it: “{session.control_reason}”" if session.control_reason else "a person paused it"
        return Waiting("a resume", session.moved_at, reason)
    if group in (Standing.HUMAN, Standing.WAITING) and wait:
        return Waiting(wait.subject, wait.created_at, _reason(wait))
    return None


def _reason(wait: SessionWait) -> str:
    if wait.kind != WaitKind.CHILDREN:
        return wait.reason
    left = f"{wait.remaining} of them {'have' if wait.remaining > 1 else 'has'} not finished"
    return f"{wait.reason}; {left}" if wait.reason else left
