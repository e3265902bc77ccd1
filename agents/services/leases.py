"""Claims: who works on a session, until when, and what happens when nobody does any more."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from agents.actor import SYSTEM
from agents.checkpoints.connections import raw_cursor
from agents.events import store
from agents.events.types import SessionMoved
from agents.ids import new_id
from agents.lifecycle import Control, RunStatus, SessionStatus
from agents.models import AgentSession, SessionLease
from agents.models.sessions import Turn
from agents.roles import Level
from agents.services import sessions

NEAR = 32  # seats left of a project's limit from which claims of it are counted one after the other

# Projects with queued sessions of a level are found by steps through the index, not by reading all that is queued:
# a step comes to the next project, at the session whose turn it is. The project that uses the smallest part of its
# limit on this level is next; those in `full` come after all others.
CLAIM = """
WITH RECURSIVE asking (project_id, turn) AS (
    (SELECT project_id, {turn} FROM agent_sessions WHERE status = 'queued' AND level = %(level)s
     ORDER BY project_id, {turn} LIMIT 1)
    UNION ALL
    SELECT s.* FROM asking a CROSS JOIN LATERAL (
        SELECT project_id, {turn} FROM agent_sessions
        WHERE status = 'queued' AND level = %(level)s AND project_id > a.project_id
        ORDER BY project_id, {turn} LIMIT 1
    ) s
), shares AS MATERIALIZED (
    SELECT p.project_id, l.most - busy.everywhere AS seats
    FROM asking a JOIN projects p USING (project_id)
    CROSS JOIN LATERAL (SELECT coalesce(p.max_running, %(max_running)s) AS most) l
    CROSS JOIN LATERAL (
        SELECT count(*) AS everywhere, count(*) FILTER (WHERE level = %(level)s) AS here
        FROM agent_sessions WHERE status = 'running' AND project_id = a.project_id
    ) busy
    WHERE busy.everywhere < l.most
    ORDER BY p.project_id = ANY (%(full)s::uuid[]), busy.here::float / l.most, a.turn
), best AS (
    SELECT s.session_id, s.queued_by, shares.seats FROM shares CROSS JOIN LATERAL (
        SELECT session_id, move_id AS queued_by FROM agent_sessions
        WHERE status = 'queued' AND level = %(level)s AND project_id = shares.project_id
        ORDER BY {turn} LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    ) s LIMIT 1
), claimed AS (
    UPDATE agent_sessions s
    SET status = 'running', attempt = attempt + 1, moved_at = now(), updated_at = now(),
        started_at = coalesce(started_at, now()), move_id = %(move_id)s
    FROM best WHERE s.session_id = best.session_id
    RETURNING s.session_id, s.project_id, s.attempt, best.queued_by, best.seats
), leased AS (
    INSERT INTO session_leases (session_id, project_id, attempt, until, holder)
    SELECT session_id, project_id, attempt, now() + make_interval(secs => %(lease)s), %(holder)s FROM claimed
    ON CONFLICT (session_id) DO UPDATE
        SET attempt = excluded.attempt, until = excluded.until, holder = excluded.holder
)
SELECT session_id, queued_by, project_id, seats FROM claimed""".replace("{turn}", Turn.template)
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
IS_OVER = """
SELECT count(*) > (SELECT coalesce(max_running, %(max_running)s) FROM projects WHERE project_id = %(project)s)
FROM agent_sessions WHERE status = 'running' AND project_id = %(project)s"""
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


class _LimitReached(Exception):
    """Others have taken the last seats of the project between the look at it and the claim."""


def claim(
    level: Level, *, holder: str, lease: timedelta, max_running: int, full: Collection[UUID] = ()
) -> AgentSession | None:
    """Take the best queued session of `level`; None when there is none. `holder` names the process.

    `max_running` is the limit of projects without one of their own; those in `full` are served when no other project
    has anything to do. A claim that counted before others had committed is undone, and looks again.
    """
    while True:
        try:
            return _claim(level, holder, lease, max_running, full)
        except _LimitReached:
            continue


@transaction.atomic
def _claim(
    level: Level, holder: str, lease: timedelta, max_running: int, full: Collection[UUID]
) -> AgentSession | None:
    move_id = new_id()
    asked = {
        "level": str(level),
        "max_running": max_running,
        "full": list(full),
        "lease": lease.total_seconds(),
        "holder": holder,
        "move_id": move_id,
    }
    with raw_cursor(connection) as cursor:
        row = cursor.execute(CLAIM, asked, prepare=True).fetchone()  # to plan it takes longer than to run it
    if row is None:
        return None
    session_id, queued_by, project_id, seats = row
    if seats <= NEAR:
        _check_limit(project_id, max_running)
    session = AgentSession.objects.select_related("current_run").get(pk=session_id)
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
        causation_id=queued_by,
        event_id=move_id,
    )
    return session


def _check_limit(project_id: UUID, max_running: int) -> None:
    """Count what runs once no other claim of the project that came so far is under way. Raises _LimitReached."""
    with connection.cursor() as cursor:
        cursor.execute(ONE_AT_A_TIME, [f"claims {project_id}"])
        cursor.execute(IS_OVER, {"project": project_id, "max_running": max_running})
        if cursor.fetchone()[0]:
            raise _LimitReached


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

    A run is given up for crashes in one place: those from before a step that was saved do not count. `dead` are holders
    that are known to have died: their leases are not waited for.
    """
    with connection.cursor() as cursor:
        cursor.execute(EXPIRED, [list(dead), limit])
        found = [row[0] for row in cursor.fetchall()]
    for session in AgentSession.objects.filter(pk__in=found).order_by("pk"):
        crashes = 1 if _has_advanced(session) else F("crashes") + 1
        session.runs.filter(status=RunStatus.ACTIVE).update(crashes=crashes)
        sessions.move(session, SessionStatus.QUEUED, actor=SYSTEM, cause="lease_expired")
    return found


def _has_advanced(session: AgentSession) -> bool:
    """Has the attempt that runs it saved a state since it began?"""
    return session.states.filter(is_current=True, created_at__gt=session.moved_at).exists()
