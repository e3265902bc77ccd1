"""Copies of whole threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from django.db import IntegrityError, transaction
from psycopg.errors import UniqueViolation

from agents.checkpoints.connections import raw_cursor, scoped
from agents.checkpoints.errors import ThreadNotEmpty
from agents.ids import derived_id

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Cursor

# Both spaces, in one order: no deletion in either until the copy is made.
_SHARE_SPACES = """
SELECT space.space_id FROM agent_value_spaces space
WHERE space.space_id IN (SELECT space_id FROM agent_sessions WHERE session_id IN (%(source)s, %(target)s))
ORDER BY space.space_id FOR KEY SHARE
"""
_ANY_STATE = "SELECT 1 FROM agent_states WHERE session_id = %(target)s LIMIT 1"
_STATES = "SELECT state_id, checkpoint_ns, checkpoint_id FROM agent_states WHERE session_id = %(source)s"
# In this order, so that what is stored meanwhile does no harm: each finds at least what the earlier ones name.
_COPIES = (
    """
INSERT INTO agent_states (state_id, project_id, session_id, checkpoint_ns, checkpoint_id, parent_id, checkpoint_name,
                          state_data, state_hash, metadata, seal, size_bytes, is_current, is_fork_base, damaged_at,
                          created_at)
SELECT named.copy_id, session.project_id, session.session_id, checkpoint_ns, checkpoint_id, state.parent_id,
       checkpoint_name, state_data, state_hash, state.metadata, seal, size_bytes, is_current, is_fork_base, damaged_at,
       state.created_at
FROM json_to_recordset(%(ids)s::json) named(state_id uuid, copy_id uuid)
JOIN agent_states state USING (state_id), agent_sessions session
WHERE session.session_id = %(target)s
""",
    """
INSERT INTO agent_channel_versions (session_id, checkpoint_ns, channel, version, form, level, base, head, tail,
                                    items, kind, body, raw)
SELECT %(target)s, checkpoint_ns, channel, version, form, level, base, head, tail, items, kind, body, raw
FROM agent_channel_versions WHERE session_id = %(source)s
""",
    """
INSERT INTO agent_state_writes (session_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, form,
                                items, kind, body, raw)
SELECT %(target)s, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, form, items, kind, body, raw
FROM agent_state_writes WHERE session_id = %(source)s
""",
    """
INSERT INTO agent_values (space_id, hash, kind, body, raw)
SELECT target.space_id, value.hash, value.kind, value.body, value.raw
FROM agent_sessions source
JOIN agent_sessions target ON target.session_id = %(target)s AND target.space_id <> source.space_id
JOIN agent_values value ON value.space_id = source.space_id
WHERE source.session_id = %(source)s AND value.hash IN (
    SELECT item.hash FROM agent_channel_versions, agent_items(items) item WHERE session_id = %(source)s
  UNION ALL
    SELECT item.hash FROM agent_state_writes, agent_items(items) item WHERE session_id = %(source)s)
ORDER BY value.hash
ON CONFLICT DO NOTHING
""",
)


def copy_thread(source: UUID, target: UUID) -> None:
    """Copy all that is stored of a session to one that has nothing; values only where they share no space.

    Raises ThreadNotEmpty.
    """
    try:
        with scoped() as connection, transaction.atomic(), raw_cursor(connection) as cursor:
            _copy(cursor, {"source": source, "target": target})
    except IntegrityError as error:
        if isinstance(error.__cause__, UniqueViolation):
            raise ThreadNotEmpty(session_id=str(target)) from error
        raise


def _copy(cursor: Cursor[Any], names: dict[str, Any]) -> None:
    cursor.execute(_SHARE_SPACES, names)
    if cursor.execute(_ANY_STATE, names).fetchone():
        raise ThreadNotEmpty(session_id=str(names["target"]))
    ids = [
        {"state_id": state, "copy_id": derived_id(names["target"], ns, checkpoint)}
        for state, ns, checkpoint in cursor.execute(_STATES, names).fetchall()
    ]
    for statement in _COPIES:
        cursor.execute(statement, {**names, "ids": orjson.dumps(ids).decode()})
