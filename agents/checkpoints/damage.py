"""What is noted when stored states turn out to be damaged, and what gives way to what."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import DatabaseError, transaction

from agents.checkpoints.connections import raw_cursor, scoped

if TYPE_CHECKING:
    from psycopg import Cursor

    from agents.checkpoints.reading import StateRow

log = logging.getLogger(__name__)

# A save's order of locks. As with saves, what was seen under an epoch only counts while the epoch holds. A save that
# is under way may rely on a value that is removed here: so it comes before, or is planned anew in another epoch.
_HOLD = """
SELECT 1 FROM agent_sessions session JOIN agent_value_spaces space USING (space_id)
WHERE session.session_id = %(session)s AND space.space_id = %(space)s AND space.epoch = %(epoch)s
FOR NO KEY UPDATE OF session FOR UPDATE OF space
"""
_MARK = """
UPDATE agent_states SET damaged_at = now()
WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s AND checkpoint_id = ANY(%(damaged)s) AND damaged_at IS NULL
RETURNING checkpoint_id
"""
_DEMOTE = """
UPDATE agent_states SET is_current = false
WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s AND checkpoint_id = %(first)s AND is_current RETURNING 1
"""
_PROMOTE = """
UPDATE agent_states SET is_current = true
WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s AND checkpoint_id = %(sound)s
"""
_FORGET_TASKS = """
DELETE FROM agent_state_writes
WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s AND checkpoint_id = %(sound)s AND task_id = ANY(%(tasks)s)
"""
_SUSPECTS = """
SELECT hash, kind, coalesce(raw, convert_to(body::text, 'UTF8')) FROM agent_values
WHERE space_id = %(space)s AND hash = ANY(%(suspects)s) ORDER BY hash FOR UPDATE
"""
_NEXT_EPOCH = "UPDATE agent_value_spaces SET epoch = nextval('agent_value_epoch') WHERE space_id = %(space)s"
_FORGET_VALUES = "DELETE FROM agent_values WHERE space_id = %(space)s AND hash = ANY(%(wrong)s)"


@dataclass(frozen=True, slots=True)
class Damage:
    """A checkpoint that is not what was saved. If it was the current one, `gave_way_to` is that now."""

    session_id: UUID
    checkpoint_ns: str
    checkpoint_id: UUID
    reason: str
    gave_way_to: UUID | None = None


OnDamage = Callable[[Damage], None]
"""Told once of each damaged checkpoint, in the transaction that marks it, which holds the session's row."""

IsSound = Callable[[bytes, str, bytes], object]
"""Whether a value is what its hash says, from the hash, its kind and its bytes."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What reading found out: damaged checkpoints, and why; values that are missing or changed.

    `sound` is the checkpoint that is good in place of the first of them, without the writes of `lost_tasks`.
    """

    row: StateRow
    damaged: dict[UUID, str]
    suspects: Collection[bytes]
    sound: UUID | None = None
    lost_tasks: Sequence[str] = ()


def note(found: Findings, is_sound: IsSound, on_damage: OnDamage | None) -> bool:
    """Mark what is damaged, and let the current state give way. False if something was deleted since it was read.

    Values that are not what their hash says are removed, so that equal ones can be stored again; so is what is
    left of the writes of tasks that must run again. Where the database cannot be written, nothing is marked.
    """
    row = found.row
    names: dict[str, Any] = {
        "session": row.session_id,
        "ns": row.checkpoint_ns,
        "space": row.space_id,
        "epoch": row.epoch,
        "damaged": list(found.damaged),
        "first": row.checkpoint_id,
        "sound": found.sound,
        "tasks": list(found.lost_tasks),
        "suspects": list(found.suspects),
    }
    try:
        with scoped() as connection, transaction.atomic(), raw_cursor(connection) as cursor:
            if not cursor.execute(_HOLD, names).fetchone():
                return False
            fresh = _mark(cursor, names, is_sound)
            for checkpoint, reason in found.damaged.items():
                if checkpoint in fresh:
                    _tell(found, checkpoint, reason, on_damage)
    except DatabaseError as error:  # the answer to the reader is right all the same
        log.warning("Damage of %s cannot be marked: %s", row.checkpoint_id, error)
    return True


def _mark(cursor: Cursor[Any], names: dict[str, Any], is_sound: IsSound) -> set[UUID]:
    """The checkpoints that were not marked before."""
    fresh = {checkpoint for (checkpoint,) in cursor.execute(_MARK, names).fetchall()}
    wrong = [value[0] for value in cursor.execute(_SUSPECTS, names).fetchall() if not is_sound(*value)]
    if wrong:
        cursor.execute(_FORGET_VALUES, {**names, "wrong": wrong})
        cursor.execute(_NEXT_EPOCH, names)
    if names["sound"] is not None:
        cursor.execute(_FORGET_TASKS, names)
        if names["sound"] != names["first"] and cursor.execute(_DEMOTE, names).fetchone():
            cursor.execute(_PROMOTE, names)
    return fresh


def _tell(found: Findings, checkpoint: UUID, reason: str, on_damage: OnDamage | None) -> None:
    row, is_first = found.row, checkpoint == found.row.checkpoint_id
    log.error("The checkpoint %s of %s is damaged: %s.", checkpoint, row.thread, reason)
    if on_damage is not None:
        gave_way_to = found.sound if is_first and checkpoint != found.sound else None
        on_damage(Damage(row.session_id, row.checkpoint_ns, checkpoint, reason, gave_way_to))
