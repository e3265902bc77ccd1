"""Deletion of states, and of the values that nothing names any more.

Whoever deletes holds the row of the value space FOR UPDATE and gives the space another epoch: writes that were
planned before it are planned again, see `sql`. Before that it locks the session, as all do that name one of its
states or go back to one, and as the writers' fence does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction

from agents.checkpoints.connections import raw_cursor, scoped
from agents.checkpoints.retention import Freed, Retention

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Cursor

_LOCK_SESSION = "SELECT FROM agent_sessions WHERE session_id = %(session)s FOR NO KEY UPDATE"
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
_FORKED = """SELECT checkpoint_ns, parent_id FROM agent_states WHERE session_id = %(session)s AND parent_id IS NOT NULL
        GROUP BY 1, 2 HAVING count(*) > 1"""
_MARK_FORK_BASES = f"""
UPDATE agent_states base SET is_fork_base = true FROM ({_FORKED}) forked
WHERE base.session_id = %(session)s AND base.checkpoint_ns = forked.checkpoint_ns
  AND base.checkpoint_id = forked.parent_id AND NOT base.is_fork_base
"""  # noqa: S608  # joined to a constant
# A question waits until the run that asked it goes on.
_ASKED = """(checkpoint_ns, checkpoint_id) IN (
        SELECT checkpoint_ns, checkpoint_id FROM agent_state_writes
        WHERE session_id = %(session)s AND channel = '__interrupt__')
    AND (checkpoint_ns, checkpoint_id) NOT IN (
        SELECT checkpoint_ns, parent_id FROM agent_states
        WHERE session_id = %(session)s AND parent_id IS NOT NULL AND metadata ->> 'source' = 'loop')"""
# Forks elsewhere, copies in the session itself, and rewinds that are under way.
_GONE_BACK_TO = """checkpoint_id::text IN (
        SELECT metadata ->> 'copied_from' FROM agent_states
        WHERE session_id = %(session)s AND metadata ? 'copied_from')
    OR checkpoint_id IN (
        SELECT forked_at FROM agent_sessions WHERE forked_from_id = %(session)s
      UNION ALL
        SELECT unnest(ARRAY[checkpoint_id, seen_id]) FROM session_rewinds
        WHERE session_id = %(session)s AND status = 'open')"""
# Delta channels are rebuilt from the writes of ancestors, back to where each is stored; so are those of the ancestors
# that are kept for it. LangGraph counts in the metadata which channels these are.
_DELTAS = """CASE jsonb_typeof({0}.metadata -> 'counters_since_delta_snapshot') WHEN 'object'
           THEN ARRAY(SELECT jsonb_object_keys({0}.metadata -> 'counters_since_delta_snapshot'))
           ELSE '{{}}'::text[] END"""
# A task of a sub-graph is found by the state that it ran on: when that has gone, nothing leads there any more.
_KEPT = f"""wanted AS (
    SELECT checkpoint_ns, checkpoint_id, parent_id, metadata -> 'parents' ->> '' AS root,
           {_DELTAS.format("state")} AS sought
    FROM (SELECT *, row_number() OVER (PARTITION BY checkpoint_ns
                                        ORDER BY is_current DESC, damaged_at IS NOT NULL, checkpoint_id DESC) AS place
          FROM agent_states WHERE session_id = %(session)s) state
    WHERE place <= %(keep)s OR created_at > now() - %(age)s OR checkpoint_name <> '' OR is_fork_base
       OR (checkpoint_ns, checkpoint_id) IN ({_FORKED}) OR ({_ASKED}) OR {_GONE_BACK_TO}
  UNION
    SELECT parent.checkpoint_ns, parent.checkpoint_id, parent.parent_id, wanted.root,
           ARRAY(SELECT sought.name FROM unnest(wanted.sought) sought(name)
                 WHERE NOT parent.state_data -> 'channel_values' ? sought.name
                   AND NOT EXISTS (SELECT FROM agent_channel_versions version
                                   WHERE version.session_id = %(session)s
                                     AND version.checkpoint_ns = parent.checkpoint_ns
                                     AND version.channel = sought.name
                                     AND version.version = parent.state_data -> 'channel_versions' ->> sought.name)
                 UNION SELECT unnest({_DELTAS.format("parent")}) ORDER BY 1)
    FROM wanted JOIN agent_states parent
      ON parent.session_id = %(session)s AND parent.checkpoint_ns = wanted.checkpoint_ns
     AND parent.checkpoint_id = wanted.parent_id
    WHERE cardinality(wanted.sought) > 0
), kept AS (
    SELECT checkpoint_ns, checkpoint_id FROM wanted
    WHERE checkpoint_ns NOT LIKE '%%:%%' OR root IS NULL
       OR root IN (SELECT checkpoint_id::text FROM wanted WHERE checkpoint_ns = '')
), """  # noqa: S608  # joined to constants
_OTHERS = """SELECT checkpoint_ns, checkpoint_id FROM agent_states WHERE session_id = %(session)s
    EXCEPT TABLE kept"""
_PRUNE = _DELETE_STATES.format(
    kept=_KEPT,
    condition=f"(checkpoint_ns, checkpoint_id) IN ({_OTHERS} ORDER BY checkpoint_id LIMIT %(most)s)",
)
_COUNT = f"WITH RECURSIVE {_KEPT} others AS ({_OTHERS}) SELECT count(*) FROM others"  # noqa: S608  # constants
# Written by tasks of a step that never got a state, or whose state has gone: the graph is beyond it.
_DELETE_STRAYS = """
DELETE FROM agent_state_writes stray
WHERE session_id = %(session)s
  AND NOT EXISTS (SELECT FROM agent_states state
                  WHERE state.session_id = stray.session_id AND state.checkpoint_ns = stray.checkpoint_ns
                    AND state.checkpoint_id = stray.checkpoint_id)
  AND EXISTS (SELECT FROM agent_states later
              WHERE later.session_id = stray.session_id AND later.checkpoint_ns IN ('', stray.checkpoint_ns)
                AND later.checkpoint_id > stray.checkpoint_id)
"""

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
), others AS (
    SELECT checkpoint_ns, channel, version FROM agent_channel_versions WHERE session_id = %(session)s
    EXCEPT TABLE named
)
DELETE FROM agent_channel_versions version USING others
WHERE version.session_id = %(session)s AND version.checkpoint_ns = others.checkpoint_ns
  AND version.channel = others.channel AND version.version = others.version
"""
_NEXT_EPOCH = "UPDATE agent_value_spaces SET epoch = nextval('agent_value_epoch') WHERE space_id = %(space)s"
# EXCEPT: what the values are compared with may be much more than memory, and NOT IN would then look through all of it
# for each value.
_SWEEP = """
WITH others AS (
    SELECT hash FROM agent_values WHERE space_id = %(space)s
  EXCEPT (
    SELECT item.hash
    FROM agent_sessions session JOIN agent_channel_versions version USING (session_id), agent_items(version.items) item
    WHERE session.space_id = %(space)s
  UNION ALL
    SELECT item.hash
    FROM agent_sessions session JOIN agent_state_writes write USING (session_id), agent_items(write.items) item
    WHERE session.space_id = %(space)s)
  LIMIT %(most)s
), gone AS (
    DELETE FROM agent_values value USING others
    WHERE value.space_id = %(space)s AND value.hash = others.hash
    RETURNING coalesce(octet_length(value.raw), octet_length(value.body::text)) AS size
)
SELECT count(*), coalesce(sum(size), 0) FROM gone
"""
_DROP_SPACE = """
DELETE FROM agent_value_spaces space WHERE space_id = %(space)s
   AND NOT EXISTS (SELECT FROM agent_sessions session WHERE session.space_id = space.space_id)
   AND NOT EXISTS (SELECT FROM agent_values value WHERE value.space_id = space.space_id)
"""
_ALL: dict[str, Any] = {"most": None}  # PostgreSQL takes no limit for one that is null


def delete_thread(session: UUID) -> None:
    """Delete all states and writes of a session."""
    with _alone(session) as (cursor, names):
        for statement in (*_DELETE_ALL, _NEXT_EPOCH, _SWEEP):
            cursor.execute(statement, {**names, **_ALL})


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

    These must: states with a name, those that something goes back to (forks, copies, rewinds under way), states whose
    question nobody has answered yet, and the ancestors that the delta channels of any of them are rebuilt from.
    """
    with _alone(session) as (cursor, names):
        cursor.execute(_MARK_FORK_BASES, names)
        _delete_states(cursor, _PRUNE, {**names, "keep": keep, "age": timedelta()})


def prune_some(session: UUID, retention: Retention, most: int) -> int:
    """Delete at most that many states, oldest first, that neither `retention` keeps nor must stay; how many there were.

    The values that only they named are left to `sweep`. When fewer than `most` were left, it is done.
    """
    with _alone(session) as (cursor, names):
        cursor.execute(_MARK_FORK_BASES, names)
        found = cursor.execute(_PRUNE, {**names, **_asked(retention), "most": most}).fetchone() or (0,)
        strays = cursor.execute(_DELETE_STRAYS, names).rowcount
        if found[0]:
            cursor.execute(_PROMOTE, names)
            cursor.execute(_DELETE_VERSIONS, names)
        if found[0] or strays:
            cursor.execute(_NEXT_EPOCH, names)
    return int(found[0])


def prunable(session: UUID, retention: Retention) -> int:
    """How many states `prune_some` would delete in the end. Nothing is locked."""
    with scoped() as connection, raw_cursor(connection) as cursor:
        found = cursor.execute(_COUNT, {"session": session, **_asked(retention)}).fetchone() or (0,)
    return int(found[0])


def _asked(retention: Retention) -> dict[str, Any]:
    return {"keep": retention.newest, "age": retention.age}


def sweep(space: UUID, most: int, *, milliseconds: int = 0) -> Freed:
    """Delete at most that many values of a space that nothing names. Writers of the space wait as long.

    Raises OperationalError when it takes more than the given time; 0 is any time.
    """
    with scoped() as connection, transaction.atomic(), raw_cursor(connection) as cursor:
        names = {"space": space, "most": most}
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
        cursor.execute("SELECT FROM agent_value_spaces WHERE space_id = %(space)s FOR UPDATE", names)
        count, size = cursor.execute(_SWEEP, names).fetchone() or (0, 0)
        if count:
            cursor.execute(_NEXT_EPOCH, names)
        return Freed(count, int(size))


def drop_space(space: UUID) -> bool:
    """Delete a space that has no values any more, if no session has it."""
    with scoped() as connection, raw_cursor(connection) as cursor:
        return bool(cursor.execute(_DROP_SPACE, {"space": space}).rowcount)


def _delete_states(cursor: Cursor[Any], statement: str, parameters: dict[str, Any]) -> None:
    if cursor.execute(statement, {**parameters, **_ALL}).fetchone() == (0,):
        return
    for following in (_PROMOTE, _DELETE_VERSIONS, _NEXT_EPOCH, _SWEEP):
        cursor.execute(following, {**parameters, **_ALL})


@contextmanager
def _alone(session: UUID) -> Iterator[tuple[Cursor[Any], dict[str, Any]]]:
    """A transaction in which nobody else writes in the session's space, if it has one."""
    with scoped() as connection, transaction.atomic(), raw_cursor(connection) as cursor:
        cursor.execute(_LOCK_SESSION, {"session": session})
        row = cursor.execute(_LOCK_SPACE, {"session": session}).fetchone()
        yield cursor, {"session": session, "space": row[0] if row else None}
