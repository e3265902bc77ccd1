"""Deletion of states, and of the values that nothing names any more.

Whoever deletes holds the row of the value space FOR UPDATE and gives the space another epoch: writes that were
planned before it are planned again, see `sql`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import transaction

from agents.checkpoints.connections import raw_cursor, scoped

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Cursor

_LOCK_SPACE = """
SELECT space.space_id
FROM agent_sessions session JOIN agent_value_spaces space USING (space_id)
WHERE session.session_id = %(session)s
FOR UPDATE OF space
"""
_DELETE_ALL = (
    "DELETE FROM agent_state_writes WHERE session_id = %(session)s",
    "DELETE FROM agent_channel_versions WHERE session_id = %(session)s",
    "DELETE FROM agent_states WHERE session_id = %(session)s",
)
_DELETE_STATES = """
WITH RECURSIVE {kept}gone AS (
    DELETE FROM agent_states state WHERE session_id = %(session)s AND {condition}
    RETURNING checkpoint_ns, checkpoint_id
), written AS (
    DELETE FROM agent_state_writes write USING gone
    WHERE write.session_id = %(session)s AND write.checkpoint_ns = gone.checkpoint_ns
      AND write.checkpoint_id = gone.checkpoint_id
)
SELECT count(*) FROM gone
"""
_DELETE_RUNS = _DELETE_STATES.format(kept="", condition="metadata ->> 'run_id' = ANY(%(runs)s)")
_SESSIONS_OF_RUNS = """
SELECT DISTINCT session_id FROM agent_states
WHERE metadata ? 'run_id' AND metadata ->> 'run_id' = ANY(%(runs)s) ORDER BY session_id
"""

# Where two states follow one, something was forked. Marked, because the other branch may go.
_MARK_FORK_BASES = """
UPDATE agent_states base SET is_fork_base = true
FROM (SELECT checkpoint_ns, parent_id FROM agent_states WHERE session_id = %(session)s AND parent_id IS NOT NULL
      GROUP BY 1, 2 HAVING count(*) > 1) forked
WHERE base.session_id = %(session)s AND base.checkpoint_ns = forked.checkpoint_ns
  AND base.checkpoint_id = forked.parent_id AND NOT base.is_fork_base
"""
# A question waits until the run that asked it goes on. Delta channels are rebuilt from the writes of ancestors,
# back to where each is stored; so are those of the ancestors that are kept for it. LangGraph counts in the metadata
# which channels these are.
_DELTAS = """CASE jsonb_typeof({0}.metadata -> 'counters_since_delta_snapshot') WHEN 'object'
           THEN ARRAY(SELECT jsonb_object_keys({0}.metadata -> 'counters_since_delta_snapshot'))
           ELSE '{{}}'::text[] END"""
_KEPT = f"""kept AS (
    SELECT checkpoint_ns, checkpoint_id, parent_id, {_DELTAS.format("state")} AS sought
    FROM (SELECT *, row_number() OVER (PARTITION BY checkpoint_ns
                                       ORDER BY is_current DESC, damaged_at IS NOT NULL, checkpoint_id DESC) AS place
          FROM agent_states WHERE session_id = %(session)s) state
    WHERE place <= %(keep)s OR checkpoint_name <> '' OR is_fork_base
       OR ((checkpoint_ns, checkpoint_id) IN (
               SELECT checkpoint_ns, checkpoint_id FROM agent_state_writes
               WHERE session_id = %(session)s AND channel = '__interrupt__')
           AND (checkpoint_ns, checkpoint_id) NOT IN (
               SELECT checkpoint_ns, parent_id FROM agent_states
               WHERE session_id = %(session)s AND parent_id IS NOT NULL AND metadata ->> 'source' = 'loop'))
  UNION
    SELECT parent.checkpoint_ns, parent.checkpoint_id, parent.parent_id,
           ARRAY(SELECT wanted.name FROM unnest(kept.sought) wanted(name)
                 WHERE NOT parent.state_data -> 'channel_values' ? wanted.name
                   AND NOT EXISTS (SELECT FROM agent_channel_versions version
                                   WHERE version.session_id = %(session)s
                                     AND version.checkpoint_ns = parent.checkpoint_ns
                                     AND version.channel = wanted.name
                                     AND version.version = parent.state_data -> 'channel_versions' ->> wanted.name)
                 UNION SELECT unnest({_DELTAS.format("parent")}) ORDER BY 1)
    FROM kept JOIN agent_states parent
      ON parent.session_id = %(session)s AND parent.checkpoint_ns = kept.checkpoint_ns
     AND parent.checkpoint_id = kept.parent_id
    WHERE cardinality(kept.sought) > 0
), """  # noqa: S608  # joined to constants
_PRUNE = _DELETE_STATES.format(
    kept=_KEPT, condition="(checkpoint_ns, checkpoint_id) NOT IN (SELECT checkpoint_ns, checkpoint_id FROM kept)"
)

_PROMOTE = """
UPDATE agent_states state SET is_current = true
FROM (SELECT DISTINCT ON (checkpoint_ns) state_id FROM agent_states WHERE session_id = %(session)s
      ORDER BY checkpoint_ns, damaged_at IS NOT NULL, checkpoint_id DESC) newest
WHERE state.state_id = newest.state_id
  AND NOT EXISTS (SELECT FROM agent_states one WHERE one.session_id = %(session)s
                  AND one.checkpoint_ns = state.checkpoint_ns AND one.is_current)
"""
_DELETE_VERSIONS = """
WITH RECURSIVE named AS (
    SELECT checkpoint_ns, channel, version
    FROM agent_states, jsonb_each_text(state_data -> 'channel_versions') held(channel, version)
    WHERE session_id = %(session)s
  UNION
    SELECT version.checkpoint_ns, version.channel, version.base
    FROM named JOIN agent_channel_versions version
      ON version.session_id = %(session)s AND version.checkpoint_ns = named.checkpoint_ns
     AND version.channel = named.channel AND version.version = named.version
    WHERE version.base IS NOT NULL
)
DELETE FROM agent_channel_versions
WHERE session_id = %(session)s AND (checkpoint_ns, channel, version) NOT IN (TABLE named)
"""
_NEXT_EPOCH = "UPDATE agent_value_spaces SET epoch = nextval('agent_value_epoch') WHERE space_id = %(space)s"
_SWEEP = """
DELETE FROM agent_values WHERE space_id = %(space)s AND hash NOT IN (
    SELECT item.hash
    FROM agent_sessions session JOIN agent_channel_versions version USING (session_id), agent_items(version.items) item
    WHERE session.space_id = %(space)s
  UNION ALL
    SELECT item.hash
    FROM agent_sessions session JOIN agent_state_writes write USING (session_id), agent_items(write.items) item
    WHERE session.space_id = %(space)s)
"""


def delete_thread(session: UUID) -> None:
    """Delete all states and writes of a session."""
    with _alone(session) as (cursor, names):
        for statement in (*_DELETE_ALL, _NEXT_EPOCH, _SWEEP):
            cursor.execute(statement, names)


def delete_runs(runs: Sequence[str]) -> None:
    """Delete the states of these runs with what was written on top of them, in every session that has some."""
    with scoped() as connection:
        with raw_cursor(connection) as cursor:
            sessions = cursor.execute(_SESSIONS_OF_RUNS, {"runs": runs}).fetchall()
        for (session,) in sessions:
            with _alone(session) as (cursor, names):
                _delete_states(cursor, _DELETE_RUNS, {**names, "runs": runs})


def prune(session: UUID, keep: int) -> None:
    """Delete all but the newest `keep` states of each namespace, and those that must stay.

    These must: states with a name, bases of forks, states whose question nobody has answered yet, and the
    ancestors that the delta channels of any of them are rebuilt from.
    """
    with _alone(session) as (cursor, names):
        cursor.execute(_MARK_FORK_BASES, names)
        _delete_states(cursor, _PRUNE, {**names, "keep": keep})


def _delete_states(cursor: Cursor[Any], statement: str, parameters: dict[str, Any]) -> None:
    if cursor.execute(statement, parameters).fetchone() == (0,):
        return
    for following in (_PROMOTE, _DELETE_VERSIONS, _NEXT_EPOCH, _SWEEP):
        cursor.execute(following, parameters)


@contextmanager
def _alone(session: UUID) -> Iterator[tuple[Cursor[Any], dict[str, Any]]]:
    """A transaction in which nobody else writes in the session's space, if it has one."""
    with scoped() as connection, transaction.atomic(), raw_cursor(connection) as cursor:
        row = cursor.execute(_LOCK_SPACE, {"session": session}).fetchone()
        yield cursor, {"session": session, "space": row[0] if row else None}
