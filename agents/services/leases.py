"""Claims: who works on a session, until when, and what happens when nobody does any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from agents.actor import SYSTEM
from agents.events import store
from agents.events.types import SessionMoved
from agents.lifecycle import Control, RunStatus, SessionStatus
from agents.models import AgentSession, SessionLease
from agents.roles import Level
from agents.services import sessions

# The best queued session of a level in a project that is not full. Priority first, then who has waited longest.
CLAIM = """
WITH best AS (
    SELECT s.session_id, s.status AS previous FROM agent_sessions s
    WHERE s.level = %(level)s AND s.status = 'queued'
      AND (SELECT count(*) FROM agent_sessions r WHERE r.project_id = s.project_id AND r.status = 'running')
          < %(max_running)s
    ORDER BY s.priority DESC, s.moved_at
    LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    UPDATE agent_sessions s
    SET status = 'running', attempt = attempt + 1, moved_at = now(), updated_at = now(),
        started_at = coalesce(started_at, now())
    FROM best WHERE s.session_id = best.session_id
    RETURNING s.session_id, s.project_id, s.attempt
), leased AS (
    INSERT INTO session_leases (session_id, project_id, attempt, until, holder)
    SELECT session_id, project_id, attempt, now() + make_interval(secs => %(lease)s), %(holder)s FROM claimed
    ON CONFLICT (session_id) DO UPDATE
        SET attempt = excluded.attempt, until = excluded.until, holder = excluded.holder
)
SELECT session_id FROM claimed"""
BEAT = """
UPDATE session_leases l SET until = now() + make_interval(secs => %(lease)s)
FROM unnest(%(sessions)s::uuid[], %(attempts)s::int[]) AS held(session_id, attempt)
JOIN agent_sessions s ON s.session_id = held.session_id
WHERE l.session_id = held.session_id AND l.attempt = held.attempt
  AND s.attempt = held.attempt AND s.status = 'running'
RETURNING l.session_id, s.control"""
EXPIRED = """
SELECT s.session_id FROM session_leases l JOIN agent_sessions s USING (session_id)
WHERE (l.until < now() OR l.holder = ANY(%s)) AND s.status = 'running'
LIMIT %s FOR NO KEY UPDATE OF s SKIP LOCKED"""


@dataclass(frozen=True, slots=True)
class Holding:
    """A session and the attempt that runs it: what a worker holds while its lease lasts."""

    session_id: UUID
    attempt: int


@transaction.atomic
def claim(level: Level, *, holder: str, lease: timedelta, max_running: int) -> AgentSession | None:
    """Take the best queued session of `level`; None when there is none. `holder` names the process."""
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM, {"level": level, "max_running": max_running, "lease": lease.total_seconds(), "holder": holder}
        )
        row = cursor.fetchone()
    if row is None:
        return None
    session = AgentSession.objects.select_related("current_run").get(pk=row[0])
    store.record(
        SessionMoved(
            previous=SessionStatus.QUEUED,
            status=SessionStatus.RUNNING,
            level=session.level,
            attempt=session.attempt,
            run_id=session.current_run_id,
        ),
        session,
        actor=SYSTEM,
    )
    return session


def beat(holdings: list[Holding], lease: timedelta) -> Mapping[Holding, Control]:
    """Renew leases. The answer holds those that are still ours, each with what a person wants of it."""
    attempts = {holding.session_id: holding for holding in holdings}
    with connection.cursor() as cursor:
        cursor.execute(
            BEAT,
            {
                "lease": lease.total_seconds(),
                "sessions": [holding.session_id for holding in holdings],
                "attempts": [holding.attempt for holding in holdings],
            },
        )
        return {attempts[session_id]: Control(control) for session_id, control in cursor.fetchall()}


def holders() -> list[str]:
    """Who holds leases."""
    return list(SessionLease.objects.values_list("holder", flat=True).distinct())


@transaction.atomic
def requeue_expired(limit: int = 200, *, dead: Sequence[str] = ()) -> list[UUID]:
    """Queue the sessions whose worker has gone, and count a crash for each. A locked row is left for the next round.

    `dead` are holders that are known to have died: their leases are not waited for.
    """
    with connection.cursor() as cursor:
        cursor.execute(EXPIRED, [list(dead), limit])
        found = [row[0] for row in cursor.fetchall()]
    for session in AgentSession.objects.filter(pk__in=found).order_by("pk"):
        session.runs.filter(status=RunStatus.ACTIVE).update(crashes=F("crashes") + 1)
        sessions.move(session, SessionStatus.QUEUED, actor=SYSTEM, cause="lease_expired")
    return found
