"""The statements of the saver. Each hot path is one of them, prepared on Django's connection.

A write is planned under its space's epoch and is conditional on it: its `space` part finds no row once the
epoch has moved, and then nothing is written. It holds KEY SHARE on the space's row, which waits for a
deletion's FOR UPDATE and afterwards reads the row again: so nothing that a write relies on can vanish under
it. A fenced write reads the session's row in the same way, and holds SHARE on it, so that no other attempt begins
before it is committed.
"""

from agents.checkpoints.statements import Statement

# Here and there a LIMIT 1 that limits nothing, or an OFFSET 0: without it a planner that knows no sizes yet reads whole
# tables where it should look into their indexes.

EPOCH = Statement(
    "epoch",
    """
SELECT space.epoch, space.space_id
FROM agent_sessions session JOIN agent_value_spaces space USING (space_id)
WHERE session.session_id = %(session)s
""",
)

# An attempt writes while it runs the session; whoever has none writes while nobody runs it. FOR SHARE, not FOR KEY
# SHARE: only that holds off the next claim until the write is committed.
_FENCED = """
      AND CASE WHEN %(attempt)s::int IS NULL THEN session.status <> 'running'
               ELSE session.status = 'running' AND session.attempt = %(attempt)s::int END
    FOR KEY SHARE OF space FOR SHARE OF session"""
# A run that follows the thread writes on top of its current state, or that state once more.
_FOLLOWING = """
      AND (NOT %(follows)s::boolean
           OR coalesce((SELECT checkpoint_id FROM agent_states current
                        WHERE current.session_id = %(session)s AND current.checkpoint_ns = %(ns)s AND is_current)
                       IN (%(id)s::uuid, coalesce(%(parent)s::uuid, %(id)s::uuid)), true))
    FOR KEY SHARE"""
_ANYONE = """
    FOR KEY SHARE"""

_SPACE = """
WITH space AS MATERIALIZED (
    SELECT space.space_id, session.project_id, session.control
    FROM agent_value_spaces space, agent_sessions session
    WHERE space.space_id = %(space)s::uuid AND space.epoch = %(epoch)s::bigint
      AND session.session_id = %(session)s::uuid"""
# A checkpoint and the writes before it hold the same values, and are often stored at once by two threads: who comes
# second waits for the other's commit. So this comes last: nothing refers to it.
_STORED = """, stored AS (
    INSERT INTO agent_values (space_id, hash, kind, body, raw)
    SELECT space_id, value.hash, value.kind, value.body, value.raw
    FROM space, json_to_recordset(%(values)s::json) value(hash bytea, kind text, body json, raw bytea)
    ON CONFLICT DO NOTHING
)"""

# The new current state is made in the statement that unmakes the old one. Counting the demoted rows forces
# the order; of two writers at once the second meets the unique index, and its client tries again.
_PUT = f"""
), versions AS (
    INSERT INTO agent_channel_versions (session_id, checkpoint_ns, channel, version,
                                        form, level, base, head, tail, items, kind, body, raw)
    SELECT %(session)s, %(ns)s::text, given.channel, given.version, given.form, coalesce(given.level, 0), given.base,
           coalesce(given.head, 0), coalesce(given.tail, 0), given.items, given.kind, given.body, given.raw
    FROM space, json_to_recordset(%(rows)s::json)
        given(channel text, version text, form text, level smallint, base text, head int, tail int, items bytea,
              kind text, body json, raw bytea)
    ON CONFLICT DO NOTHING
), given AS MATERIALIZED (
    SELECT %(data)s::jsonb AS data, %(metadata)s::jsonb AS metadata
), demoted AS (
    UPDATE agent_states SET is_current = false FROM space
    WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s AND is_current AND checkpoint_id < %(id)s::uuid
    RETURNING 1
){_STORED}
INSERT INTO agent_states (state_id, project_id, session_id, checkpoint_ns, checkpoint_id, parent_id,
                          state_hash, state_data, metadata, seal, size_bytes, is_current)
SELECT CASE WHEN EXISTS (SELECT FROM agent_states WHERE state_id = %(id)s
                         AND (session_id, checkpoint_ns) <> (%(session)s, %(ns)s))
            THEN gen_random_uuid() ELSE %(id)s END,
       project_id, %(session)s, %(ns)s, %(id)s, %(parent)s::uuid,
       %(hash)s::bytea, given.data, given.metadata,
       substring(sha256(convert_to(concat_ws('/', %(id)s::text, %(parent)s::uuid, given.data, given.metadata), 'UTF8'))
                 FOR 16),
       %(size)s::bigint,
       coalesce((SELECT checkpoint_id FROM agent_states
                 WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s AND damaged_at IS NULL
                 ORDER BY checkpoint_id DESC LIMIT 1) <= %(id)s, true)
FROM space, given, (SELECT count(*) FROM demoted) after_the_demotion
ON CONFLICT (session_id, checkpoint_ns, checkpoint_id) DO UPDATE
    SET parent_id = excluded.parent_id, state_hash = excluded.state_hash, state_data = excluded.state_data,
        metadata = excluded.metadata, seal = excluded.seal, damaged_at = NULL, is_current = excluded.is_current,
        size_bytes = excluded.size_bytes
RETURNING (SELECT control FROM space)
"""  # noqa: S608  # joined to a constant

# Only LangGraph's special writes (negative idx) replace earlier ones.
_PUT_WRITES = f"""
), written AS (
    INSERT INTO agent_state_writes (session_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path,
                                    channel, form, items, kind, body, raw)
    SELECT %(session)s, %(ns)s::text, %(id)s::uuid, %(task)s::text, given.idx, %(path)s::text, given.channel,
           given.form, given.items, given.kind, given.body, given.raw
    FROM space, json_to_recordset(%(rows)s::json)
        given(idx int, channel text, form text, items bytea, kind text, body json, raw bytea)
    ON CONFLICT (session_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE
        SET task_path = excluded.task_path, channel = excluded.channel, form = excluded.form,
            items = excluded.items, kind = excluded.kind, body = excluded.body, raw = excluded.raw
        WHERE excluded.idx < 0
){_STORED}
SELECT control FROM space
"""  # noqa: S608  # joined to a constant

# Each gives one row, with what a person wants of the session, or none if it was not to be.
PUT = Statement("put", _SPACE + _FOLLOWING + _PUT)
FENCED_PUT = Statement("fenced_put", _SPACE + _FENCED + _PUT)
PUT_WRITES = Statement("put_writes", _SPACE + _ANYONE + _PUT_WRITES)
FENCED_PUT_WRITES = Statement("fenced_put_writes", _SPACE + _FENCED + _PUT_WRITES)

# A channel version with the one that it is a splice of, and the one that this is: reading.VersionRow.
VERSION = """ROW(version.channel, version.version, version.form, version.kind,
    coalesce(version.raw, convert_to(version.body::text, 'UTF8')), version.items,
    version.level::int, version.base, version.head, version.tail,
    near.items, near.base, near.head, near.tail, whole.items)"""
BASES = """
LEFT JOIN LATERAL (
    SELECT * FROM agent_channel_versions base
    WHERE base.session_id = version.session_id AND base.checkpoint_ns = version.checkpoint_ns
      AND base.channel = version.channel AND base.version = version.base LIMIT 1) near ON true
LEFT JOIN LATERAL (
    SELECT * FROM agent_channel_versions base
    WHERE base.session_id = near.session_id AND base.checkpoint_ns = near.checkpoint_ns
      AND base.channel = near.channel AND base.version = near.base LIMIT 1) whole ON true
"""
WRITE = """ROW(write.task_id, write.channel, write.form, write.kind,
    coalesce(write.raw, convert_to(write.body::text, 'UTF8')), write.items)"""
WRITE_ORDER = """ORDER BY write.task_path COLLATE "C", write.task_id COLLATE "C", write.idx"""

# The current state: the newest one, or one before it that a damaged newest one gave way to.
LATEST = """coalesce(
    (SELECT state_id FROM agent_states
     WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s AND is_current),
    (SELECT state_id FROM agent_states
     WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s ORDER BY checkpoint_id DESC LIMIT 1))"""

# One row is one checkpoint with all that names its values: columns as reading.StateRow has them. Its versions take most
# of the time: they are left out if the reader knows the checkpoint under this epoch.
NOTHING_KNOWN = {"known": None, "known_epoch": None}
_COLUMNS = f"""
SELECT session.session_id, session.thread_id, state.checkpoint_ns, state.checkpoint_id, state.parent_id,
       state.state_data::text, state.metadata::text, state.state_hash, state.seal, state.is_current,
       space.epoch, space.space_id,
       CASE WHEN (state.checkpoint_id = %(known)s::uuid AND space.epoch = %(known_epoch)s::bigint) IS NOT TRUE THEN (
        SELECT array_agg({VERSION})
        FROM jsonb_each_text(CASE jsonb_typeof(state.state_data -> 'channel_versions')
                             WHEN 'object' THEN state.state_data -> 'channel_versions' END) named
        CROSS JOIN LATERAL (
            SELECT * FROM agent_channel_versions held
            WHERE held.session_id = state.session_id AND held.checkpoint_ns = state.checkpoint_ns
              AND held.channel = named.key AND held.version = named.value LIMIT 1) version {BASES}) END,
       (SELECT array_agg({WRITE} {WRITE_ORDER})
        FROM agent_state_writes write
        WHERE write.session_id = state.session_id AND write.checkpoint_ns = state.checkpoint_ns
          AND write.checkpoint_id = state.checkpoint_id)
"""  # noqa: S608  # joined to constants
_STATE = f"""{_COLUMNS}
FROM agent_states state
JOIN agent_sessions session USING (session_id)
JOIN agent_value_spaces space USING (space_id)
"""
_ONE = "WHERE state.session_id = %(session)s AND state.checkpoint_ns = %(ns)s"
# A session that has no state gives a row without one: its first write needs the epoch.
GET_LATEST = Statement(
    "get_latest",
    f"""{_COLUMNS}
FROM agent_sessions session JOIN agent_value_spaces space USING (space_id)
LEFT JOIN agent_states state ON state.state_id = {LATEST}
WHERE session.session_id = %(session)s
""",
)
GET_EXACT = Statement("get_exact", f"{_STATE} {_ONE} AND state.checkpoint_id = %(id)s")
LIST = f"""
{_STATE} WHERE {{conditions}}
ORDER BY state.checkpoint_id DESC, state.session_id DESC, state.checkpoint_ns DESC LIMIT {{size}}
"""

VERSIONS = Statement(
    "versions",
    f"""
SELECT {VERSION}
FROM json_each_text(%(versions)s::json) named
CROSS JOIN LATERAL (
    SELECT * FROM agent_channel_versions held
    WHERE held.session_id = %(session)s AND held.checkpoint_ns = %(ns)s
      AND held.channel = named.key AND held.version = named.value LIMIT 1) version {BASES}
""",  # noqa: S608  # joined to constants
)

# One scan of the index for all of them: a third of the time that a join takes.
VALUES = Statement(
    "values",
    """
SELECT hash, kind, coalesce(raw, convert_to(body::text, 'UTF8'))
FROM agent_values WHERE space_id = %(space)s AND hash = ANY(%(hashes)s::bytea[])
""",
)
