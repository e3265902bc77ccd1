"""Sessions: started, moved from status to status, ended."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agents.actor import Actor, person
from agents.errors import InvalidTransition, NotFound, RewindUnderWay
from agents.events import causes, store
from agents.events.types import SessionControlled, SessionCreated, SessionMoved, SessionRunStarted
from agents.ids import derived_id, new_id
from agents.lifecycle import (
    FINAL,
    RUN_TRANSITIONS,
    SESSION_TRANSITIONS,
    WAITING,
    Control,
    RewindStatus,
    RunStatus,
    SessionStatus,
    check_move,
)
from agents.models import AgentRun, AgentSession, Project, Rewind, SessionLease, SessionWait, User, ValueSpace
from agents.roles import Level
from agents.services import deadlines
from agents.storable import jsonb_value

_SET_GOING_BY_PEOPLE = FINAL | {SessionStatus.PAUSED}

# By hand: Django takes longer to write a statement of so many columns than all the rest of a lock takes.
_LOCK = "SELECT * FROM agent_sessions WHERE session_id = %(session)s FOR NO KEY UPDATE"
_LOCK_ATTEMPT = """
SELECT * FROM agent_sessions WHERE session_id = %(session)s AND attempt = %(attempt)s AND status = 'running'
FOR NO KEY UPDATE"""

_MOVE = """
UPDATE agent_sessions AS session SET
    status = given.status, move_id = given.move_id, moved_at = %(now)s, updated_at = %(now)s,
    finished_at = CASE WHEN given.has_ended THEN %(now)s END,
    control = CASE WHEN given.has_ended THEN '' ELSE session.control END,
    holds_below = session.holds_below AND NOT given.has_ended
FROM jsonb_to_recordset(%(moves)s::jsonb) AS given(session_id uuid, status text, move_id uuid, has_ended boolean)
WHERE session.session_id = given.session_id"""


@dataclass(frozen=True, slots=True)
class Start:
    """What a new session needs: its type of agent, its name, its task in words, its graph's input.

    `seconds` is how long it may take; it never gets longer than the one above it. `batch` is as in the session.
    """

    agent_type: str
    level: Level
    name: str
    goal: str
    input: dict[str, Any]
    seconds: float | None = None
    batch: Sequence[Mapping[str, Any]] = ()


def lock(session_id: UUID) -> AgentSession:
    """The session's row, locked to the end of the transaction. Raises NotFound."""
    session = _one(_LOCK, session=session_id)
    if session is None:
        raise NotFound
    return session


def lock_all(session_ids: Collection[UUID]) -> dict[UUID, AgentSession]:
    """The rows of several sessions, locked to the end of the transaction: the lowest first, as endings lock them."""
    rows = AgentSession.objects.filter(pk__in=session_ids).order_by("-depth", "pk")
    return {session.pk: session for session in rows.select_for_update(no_key=True)}


def lock_attempt(session_id: UUID, attempt: int) -> AgentSession | None:
    """The session's row, locked, if this attempt still runs it; else None."""
    return _one(_LOCK_ATTEMPT, session=session_id, attempt=attempt)


def _one(statement: str, **given: Any) -> AgentSession | None:
    return next(iter(AgentSession.objects.raw(statement, given)), None)


@transaction.atomic
def start_mission(
    project: Project,
    start: Start,
    *,
    user: User,
    actor: Actor,
    priority: int = 0,
    metadata: dict[str, Any] | None = None,
    session_id: UUID | None = None,
) -> AgentSession:
    """A new root session, queued, with its first run. `metadata` goes to every agent of the mission."""
    session_id = session_id or new_id()
    session = AgentSession(
        pk=session_id,
        project=project,
        user=user,
        agent_type=start.agent_type,
        level=start.level,
        name=start.name,
        goal=start.goal,
        status=SessionStatus.QUEUED,
        priority=priority,
        root_id=session_id,
        space=ValueSpace.objects.create(pk=session_id),
        metadata=metadata or {},
        move_id=new_id(),
        expires_at=deadlines.at_most(start.seconds, None),
    )
    AgentSession.objects.bulk_create([session])
    _first_runs([session], [start])
    store.record(created(session), session, actor=actor, event_id=session.move_id)
    return session


def start_children(
    parent: AgentSession,
    wait: SessionWait,
    starts: Sequence[Start],
    *,
    actor: Actor,
    predecessors: Mapping[int, AgentSession] | None = None,
) -> list[AgentSession]:
    """One queued session for each of `starts`, under `parent`, answering `wait`. The caller holds the parent.

    They begin paused where the parent was paused with all below it. Ids follow from the wait, so the same wait never
    starts them twice. `predecessors` are those, by position, that the new ones stand for.
    """
    before = predecessors or {}
    children = [
        AgentSession(
            pk=derived_id(parent.pk, wait.interrupt_id, position),
            project_id=parent.project_id,
            user_id=parent.user_id,
            agent_type=start.agent_type,
            level=start.level,
            name=start.name,
            goal=start.goal,
            status=SessionStatus.PAUSED if parent.holds_below else SessionStatus.QUEUED,
            control_reason=parent.control_reason if parent.holds_below else "",
            holds_below=parent.holds_below,
            priority=parent.priority,
            root_id=parent.root_id,
            parent=parent,
            path=[*parent.path, parent.pk],
            parent_wait=wait,
            position=position,
            space_id=parent.space_id,
            metadata=parent.metadata,
            expires_at=deadlines.at_most(start.seconds, parent.expires_at),
            kept=parent.kept,
            stands_for=before.get(position),
            batch=list(start.batch),
            move_id=new_id(),
        )
        for position, start in enumerate(starts)
    ]
    AgentSession.objects.bulk_create(children)
    _first_runs(children, starts)
    store.record_all(
        store.Entry(
            created(child),
            child.pk,
            child.project_id,
            child.root_id,
            actor,
            causes.cause() or parent.move_id,
            event_id=child.move_id,
        )
        for child in children
    )
    return children


def start_fork(
    origin: AgentSession, checkpoint_id: UUID, *, fork_id: UUID, user: User, kept: Sequence[UUID]
) -> AgentSession:
    """A queued sibling of `origin` that shares its stored values and for which nobody waits; its state is to come.

    The fork of a mission is a mission. `kept` are calls of the origin that it is to take as made.
    """
    last = origin.current_run
    fork = AgentSession(
        pk=fork_id,
        project_id=origin.project_id,
        user=user,
        agent_type=origin.agent_type,
        level=origin.level,
        name=origin.name,
        goal=origin.goal,
        status=SessionStatus.QUEUED,
        priority=origin.priority,
        root_id=origin.root_id if origin.parent_id else fork_id,
        parent_id=origin.parent_id,
        path=origin.path,
        position=origin.position,
        space_id=origin.space_id,
        metadata=origin.metadata,
        expires_at=deadlines.of_fork(origin),
        forked_from=origin,
        forked_at=checkpoint_id,
        kept=list(kept),
        move_id=new_id(),
    )
    AgentSession.objects.bulk_create([fork])
    start = Start(fork.agent_type, Level(fork.level), fork.name, fork.goal, last.input if last else {})
    _first_runs([fork], [start], command="fork")
    store.record(created(fork), fork, actor=person(user.pk), event_id=fork.move_id)
    return fork


def _first_runs(sessions: Sequence[AgentSession], starts: Sequence[Start], command: str = "start") -> None:
    runs = [
        AgentRun(
            pk=derived_id(session.pk, "run", 1),
            project_id=session.project_id,
            session=session,
            number=1,
            command=command,
            input=start.input,
        )
        for session, start in zip(sessions, starts, strict=True)
    ]
    AgentRun.objects.bulk_create(runs)
    for session, run in zip(sessions, runs, strict=True):
        session.current_run = run
    AgentSession.objects.bulk_update(sessions, ["current_run"])


def created(session: AgentSession) -> SessionCreated:
    """The event of a new session."""
    return SessionCreated(
        status=session.status,
        level=session.level,
        agent_type=session.agent_type,
        priority=session.priority,
        parent_id=session.parent_id,
        run_id=derived_id(session.pk, "run", 1),
        forked_from=session.forked_from_id,
        stands_for=session.stands_for_id,
    )


def check_unheld(session: AgentSession) -> None:
    """Raise RewindUnderWay while somebody rewinds a locked session, or one above it."""
    held = Rewind.objects.filter(session_id__in=[session.pk, *session.path], status=RewindStatus.OPEN)
    rewind = held.select_related("user", "session").first()
    if rewind is not None:
        who = rewind.user.get_username()
        raise RewindUnderWay(
            f"{who} rewinds {rewind.session.name} at the moment.", by=who, at=rewind.created_at, rewind_id=rewind.pk
        )


@dataclass(frozen=True, slots=True)
class Move:
    """Another status for a locked session. `causation`: the event that led to it, where `causes` does not know."""

    session: AgentSession
    target: SessionStatus
    actor: Actor
    cause: str = ""
    causation: UUID | None = None


def move(session: AgentSession, target: SessionStatus, *, actor: Actor, cause: str = "") -> None:
    """Give a locked session another status and record it. Raises InvalidTransition, also while it is rewound."""
    move_all([Move(session, target, actor, cause)])


def move_all(moves: Sequence[Move]) -> None:
    """The same for several sessions, in three statements. If one of them may not move, none does."""
    if not moves:
        return
    now = timezone.now()
    previous = [_moved(one, now) for one in moves]
    entries = [_move_entry(one, *before) for one, before in zip(moves, previous, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {"moves": json.dumps([_move_row(one) for one in moves], default=str), "now": now})
    left = [one.session.pk for one, (status, _) in zip(moves, previous, strict=True) if status is SessionStatus.RUNNING]
    if left:
        SessionLease.objects.filter(pk__in=left).delete()
    store.record_all(entries)


def _moved(one: Move, now: datetime) -> tuple[SessionStatus, UUID | None]:
    """The session in its new status, not written yet; which it had before, and by which move."""
    session, before = one.session, one.session.move_id
    previous = SessionStatus(session.status)
    check_move(SESSION_TRANSITIONS, previous, one.target)
    if previous in _SET_GOING_BY_PEOPLE and one.target is not SessionStatus.CANCELLED:
        check_unheld(session)
    session.status = one.target
    session.move_id = new_id()
    session.moved_at = session.updated_at = now
    session.finished_at = now if one.target in FINAL else None
    if one.target in FINAL:
        session.control, session.holds_below = Control.NONE, False
    return previous, before


def _move_row(one: Move) -> dict[str, Any]:
    session = one.session
    return {
        "session_id": session.pk,
        "status": session.status,
        "move_id": session.move_id,
        "has_ended": session.status in FINAL,
    }


def _move_entry(one: Move, previous: SessionStatus, before: UUID | None) -> store.Entry:
    session = one.session
    moved = SessionMoved(
        previous=previous,
        status=one.target,
        level=session.level,
        attempt=session.attempt,
        run_id=session.current_run_id,
        cause=one.cause,
    )
    cause = one.causation or causes.cause() or (before if one.actor.id == session.pk else None)
    return store.Entry(
        moved, session.pk, session.project_id, session.root_id, one.actor, cause, event_id=session.move_id
    )


def end_run(
    session: AgentSession, status: RunStatus, *, output: Any = None, error: str = "", code: str = ""
) -> AgentRun:
    """End the locked session's run. Raises InvalidTransition when it has ended already."""
    run = session.current_run
    if run is None:
        raise InvalidTransition(f"{session.pk} has no run.")
    check_move(RUN_TRANSITIONS, RunStatus(run.status), status)
    run.status, run.output, run.error, run.error_code = status, jsonb_value(output), error, code
    run.finished_at = timezone.now()
    run.save(update_fields=["status", "output", "error", "error_code", "finished_at"])
    return run


def start_run(session: AgentSession, command: str, *, actor: Actor) -> AgentRun:
    """A further turn of a locked session that has ended: a new run, and the session is queued."""
    check_move(SESSION_TRANSITIONS, SessionStatus(session.status), SessionStatus.QUEUED)
    last = session.current_run
    run = AgentRun.objects.create(
        project_id=session.project_id,
        session=session,
        number=(last.number if last else 0) + 1,
        command=command,
        input=last.input if last else {},
    )
    session.current_run = run
    session.control = Control.NONE
    session.save(update_fields=["current_run", "control"])
    store.record(SessionRunStarted(run_id=run.pk, number=run.number, command=command), session, actor=actor)
    move(session, SessionStatus.QUEUED, actor=actor, cause=command)
    return run


def forget_crashes(session: AgentSession) -> None:
    """The locked session came to rest by itself: earlier deaths of its workers were not its doing."""
    session.runs.filter(status=RunStatus.ACTIVE, crashes__gt=0).update(crashes=0)


def set_control(session: AgentSession, control: Control, *, actor: Actor, reason: str = "") -> None:
    """Ask a locked, running session to pause or stop at its next checkpoint; NONE takes that back."""
    session.control, session.control_reason = control, reason
    session.save(update_fields=["control", "control_reason"])
    store.record(SessionControlled(control=control), session, actor=actor)


def hold_below(session: AgentSession, holds: bool) -> None:
    """Shall those whom a locked session starts begin paused?"""
    if session.holds_below != holds:
        session.holds_below = holds
        session.save(update_fields=["holds_below"])


def is_waiting(session: AgentSession) -> bool:
    """Does it wait for somebody else?"""
    return SessionStatus(session.status) in WAITING
