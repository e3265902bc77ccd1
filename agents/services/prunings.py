"""Passes that prune states: taken by one at a time, gone through in small steps, taken up again after a death."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from agents.actor import SYSTEM
from agents.checkpoints import deletion
from agents.checkpoints.retention import Freed, Retention
from agents.errors import NotFound
from agents.events import store
from agents.events.digests import digest
from agents.events.types import SessionPruned
from agents.models import Pruning
from agents.models.upkeep import Stage
from agents.services import details, sessions

log = logging.getLogger(__name__)

Rules = Mapping[str, Retention]
"""From agent types to what stays of theirs. Sessions of other types are left alone."""

HOLD = timedelta(minutes=2)
FULL_EVERY = timedelta(days=7)  # for states that were edited, names and forks that were taken away
SLACK = timedelta(minutes=5)  # transactions that are still to commit, clocks that differ
REMEMBERED = timedelta(days=90)
PAGE = 50
MOST_STATES, MOST_VALUES = 200, 2_000  # in one transaction
MOST_WAIT = 2_000  # milliseconds that a mission at work may be held up

# Whoever imported a session wants it as it is in the file.
_WHERE = """
WHERE session_id > %(done_to)s AND agent_type = ANY(%(types)s) AND space_id IS NOT NULL
  AND NOT session.metadata ? 'imported_from'
ORDER BY session_id LIMIT %(page)s
"""
ALL_SESSIONS = f"SELECT session_id, agent_type, space_id FROM agent_sessions session {_WHERE}"  # noqa: S608  # constant
# Materialised: else a planner walks through all sessions in their order, as it expects to find some soon.
TOUCHED_SESSIONS = f"""
WITH touched AS MATERIALIZED (SELECT * FROM agent_sessions WHERE {{windows}})
SELECT session_id, agent_type, space_id FROM touched session {_WHERE}
"""  # noqa: S608  # constant
_SPACES = "SELECT space_id FROM agent_value_spaces WHERE space_id > %(done_to)s ORDER BY space_id LIMIT %(page)s"
_BUSY = """
SELECT EXISTS (SELECT FROM agent_sessions WHERE space_id = %s AND finished_at IS NULL)
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A session in which something may have become too old."""

    session_id: UUID
    agent_type: str
    space_id: UUID


def run(rules: Rules) -> Pruning | None:
    """Do what is due of the pass that nobody works on, or of a new one; None when there is none to work on."""
    pruning = _take(rules)
    if pruning is None:
        return None
    while pruning.stage != Stage.DONE:
        step = _sessions if pruning.stage == Stage.SESSIONS else _spaces
        if not step(pruning, rules):
            return None
    Pruning.objects.filter(finished_at__lt=timezone.now() - REMEMBERED).delete()
    return pruning


def due(rules: Rules) -> list[Due]:
    """All sessions that a full pass would look at."""
    found: list[Due] = []
    while page := _due(Pruning(until=timezone.now(), done_to=found[-1].session_id if found else None), rules):
        found += page
    return found


@transaction.atomic
def prune(session_id: UUID, retention: Retention, most: int = MOST_STATES) -> int:
    """Delete at most that many states which `retention` does not keep, and record it; how many there were."""
    session = sessions.lock(session_id)
    states = deletion.prune_some(session_id, retention, most)
    if states:
        store.record(SessionPruned(states=states), session, actor=SYSTEM)
    return states


@transaction.atomic
def _take(rules: Rules) -> Pruning | None:
    now = timezone.now()
    wanted = digest({name: [rule.newest, str(rule.days)] for name, rule in rules.items()})
    known = Pruning.objects.select_for_update().filter(finished_at=None).first()
    if known is None:
        try:
            with transaction.atomic():
                return Pruning.objects.create(
                    since=_since(now, wanted), until=now - SLACK, rules=wanted, held_until=now + HOLD
                )
        except IntegrityError:  # somebody else was first
            return None
    if known.held_until > now:
        return None
    if known.rules != wanted:
        known.since, known.until, known.rules = None, now - SLACK, wanted
        known.stage, known.done_to = Stage.SESSIONS, None
    known.held_until = now + HOLD
    known.save()
    return known


def _since(now: datetime, rules: str) -> datetime | None:
    """Where the last pass ended; None when all is to be looked at."""
    last = Pruning.objects.exclude(finished_at=None).order_by("-until").first()
    full = Pruning.objects.filter(finished_at__gt=now - FULL_EVERY, since=None, rules=rules)
    if last is None or last.rules != rules or last.until < now - FULL_EVERY or not full.exists():
        return None
    return last.until


def _go_on(pruning: Pruning, **changes: object) -> bool:
    """Keep how far a pass is and hold it on. False when another has taken it over."""
    held = pruning.held_until
    for name, value in changes.items():
        setattr(pruning, name, value)
    pruning.held_until = timezone.now() + HOLD
    fields = ["held_until", "stage", "done_to", "finished_at", "sessions", "states", "values", "freed_bytes"]
    values = {name: getattr(pruning, name) for name in fields}
    return bool(Pruning.objects.filter(pk=pruning.pk, held_until=held).update(**values))


def _due(pruning: Pruning, rules: Rules) -> list[Due]:
    names: dict[str, Any] = {"done_to": pruning.done_to or UUID(int=0), "types": sorted(rules), "page": PAGE}
    statement = ALL_SESSIONS
    if pruning.since is not None:
        ages = sorted({timedelta(), *(rule.age for rule in rules.values())})
        statement, windows = touched_since(pruning.since, pruning.until, ages)
        names |= windows
    with connection.cursor() as cursor:
        cursor.execute(statement, names)
        return [Due(*row) for row in cursor.fetchall()]


def touched_since(since: datetime, until: datetime, ages: Sequence[timedelta]) -> tuple[str, dict[str, datetime]]:
    """The statement that finds sessions which last moved that long ago in that time, and its parameters.

    An agent's states are saved between two moves of its. So those that move are looked at at once, and those that rest
    when their last state is too old.
    """
    names: dict[str, datetime] = {}
    windows: list[str] = []
    for number, age in enumerate(ages):
        names |= {f"after{number}": since - age, f"to{number}": until - age}
        windows.append(f"(moved_at > %(after{number})s AND moved_at <= %(to{number})s)")
    return TOUCHED_SESSIONS.format(windows=" OR ".join(windows)), names


def _sessions(pruning: Pruning, rules: Rules) -> bool:
    found = _due(pruning, rules)
    is_full = pruning.since is None
    dirty: set[UUID] = set()
    for one in found:
        states = _prune_all(one, rules[one.agent_type])
        if states and not is_full:  # a full pass sweeps all spaces
            dirty.add(one.space_id)
        is_last = one is found[-1]
        if is_last and not _sweep_all(pruning, sorted(dirty)):
            return False
        if not _go_on(pruning, done_to=one.session_id, sessions=pruning.sessions + 1, states=pruning.states + states):
            return False
    if len(found) == PAGE:
        return True
    if is_full:
        return _go_on(pruning, stage=Stage.SPACES, done_to=None)
    return _finish(pruning)


def _prune_all(one: Due, retention: Retention) -> int:
    """How many states were deleted. A session that cannot be pruned now is left for the next pass."""
    states = 0
    try:
        while found := prune(one.session_id, retention):
            states += found
    except (DatabaseError, NotFound):
        log.warning("The session %s was not pruned to the end.", one.session_id, exc_info=True)
    return states


def _spaces(pruning: Pruning, rules: Rules) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_SPACES, {"done_to": pruning.done_to or UUID(int=0), "page": PAGE})
        found = [row[0] for row in cursor.fetchall()]
    for space in found:
        if not (_sweep_all(pruning, [space]) and _go_on(pruning, done_to=space)):
            return False
    return len(found) == PAGE or _finish(pruning)


def _sweep_all(pruning: Pruning, spaces: Sequence[UUID]) -> bool:
    for space in spaces:
        try:
            while (freed := _sweep(space)).values:
                if not _go_on(
                    pruning, values=pruning.values + freed.values, freed_bytes=pruning.freed_bytes + freed.bytes
                ):
                    return False
            freed = details.forget_unnamed(space)
            if freed.values and not _go_on(
                pruning, values=pruning.values + freed.values, freed_bytes=pruning.freed_bytes + freed.bytes
            ):
                return False
            deletion.drop_space(space)
        except DatabaseError:
            log.warning("The space %s was not swept to the end.", space, exc_info=True)
    return True


def _sweep(space: UUID) -> Freed:
    with connection.cursor() as cursor:
        cursor.execute(_BUSY, [space])
        (is_busy,) = cursor.fetchone()
    return deletion.sweep(space, MOST_VALUES, milliseconds=MOST_WAIT if is_busy else 0)


def _finish(pruning: Pruning) -> bool:
    return _go_on(pruning, stage=Stage.DONE, finished_at=timezone.now())
