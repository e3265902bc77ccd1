"""Claims: who works on a session, until when, and what happens when nobody does any more."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from agents.actor import SYSTEM
from agents.events import store
from agents.events.types import SessionMoved
from agents.ids import new_id
from agents.lifecycle import Control, RunStatus, SessionStatus
from agents.models import AgentSession, SessionLease
from agents.models.sessions import Turn
from agents.roles import Level
from agents.services import sessions

# Projects with queued sessions of a level are found by steps through the index, not by reading all that is queued.
# The one that uses the smallest part of its limit on this level is next; of its sessions the one whose turn it is.
CLAIM = """
WITH RECURSIVE asking (project_id) AS (
    (SELECT project_id FROM agent_sessions WHERE status = 'queued' AND level = %(level)s
     ORDER BY project_id LIMIT 1)
    UNION ALL
    SELECT (SELECT s.project_id FROM agent_sessions s
            WHERE s.status = 'queued' AND s.level = %(level)s AND s.project_id > a.project_id
            ORDER BY s.project_id LIMIT 1)
    FROM asking a WHERE a.project_id IS NOT NULL
), busy AS (
    SELECT project_id, count(*) AS everywhere, count(*) FILTER (WHERE level = %(level)s) AS here
    FROM agent_sessions WHERE status = 'running' GROUP BY project_id
), shares AS MATERIALIZED (
    SELECT p.project_id
    FROM asking a JOIN projects p USING (project_id) LEFT JOIN busy b USING (project_id)
    CROSS JOIN LATERAL (SELECT coalesce(p.max_running, %(max_running)s) AS most) l
    CROSS JOIN LATERAL (
        SELECT {turn} AS turn FROM agent_sessions s
        WHERE s.status = 'queued' AND s.level = %(level)s AND s.project_id = p.project_id ORDER BY {turn} LIMIT 1
    ) next
    WHERE coalesce(b.everywhere, 0) < l.most AND NOT p.project_id = ANY (%(full)s::uuid[])
    ORDER BY coalesce(b.here, 0)::float / l.most, next.turn
), best AS (
    SELECT s.session_id, s.queued_by FROM shares CROSS JOIN LATERAL (
        SELECT session_id, move_id AS queued_by FROM agent_sessions
        WHERE status = 'queued' AND level = %(level)s AND project_id = shares.project_id
        ORDER BY {turn} LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    ) s LIMIT 1
), claimed AS (
    UPDATE agent_sessions s
    SET status = 'running', attempt = attempt + 1, moved_at = now(), updated_at = now(),
        started_at = coalesce(started_at, now()), move_id = %(move_id)s
    FROM best WHERE s.session_id = best.session_id
    RETURNING s.session_id, s.project_id, s.attempt, best.queued_by
), leased AS (
    INSERT INTO session_leases (session_id, project_id, attempt, until, holder)
    SELECT session_id, project_id, attempt, now() + make_interval(secs => %(lease)s), %(holder)s FROM claimed
    ON CONFLICT (session_id) DO UPDATE
        SET attempt = excluded.attempt, until = excluded.until, holder = excluded.holder
)
SELECT session_id, queued_by FROM claimed""".replace("{turn}", Turn.template)
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
def claim(
    level: Level, *, holder: str, lease: timedelta, max_running: int, full: Collection[UUID] = ()
) -> AgentSession | None:
    """Take the best queued session of `level`; None when there is none. `holder` names the process.

    `max_running` is the limit of projects without one of their own; those in `full` get nothing this time.
    """
    move_id = new_id()
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM,
            {
                "level": level,
                "max_running": max_running,
                "full": list(full),
                "lease": lease.total_seconds(),
                "holder": holder,
                "move_id": move_id,
            },
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
        causation_id=row[1],
        event_id=move_id,
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
def hand_back(holding: Holding) -> bool:
    """Queue a session that its worker cannot go on with, at once; no crash is counted. False when it is not its own."""
    session = sessions.lock_attempt(holding.session_id, holding.attempt)
    if session is None:
        return False
    sessions.move(session, SessionStatus.QUEUED, actor=SYSTEM, cause="handed_back")
    return True


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
