"""The statements of the saver. Each hot path is one of them, prepared on Django's connection.

A write is planned under its space's epoch and is conditional on it: its `space` part finds no row once the
epoch has moved, and then nothing is written. It holds KEY SHARE on the space's row, which waits for a
deletion's FOR UPDATE and afterwards reads the row again: so nothing that a write relies on can vanish under
it.
"""

EPOCH = """
SELECT space.epoch, space.space_id
FROM agent_sessions session JOIN agent_value_spaces space USING (space_id)
WHERE session.session_id = %(session)s
"""

SPACE = """
WITH space AS MATERIALIZED (
    SELECT space.space_id, session.project_id
    FROM agent_sessions session JOIN agent_value_spaces space USING (space_id)
    WHERE session.session_id = %(session)s AND space.epoch = %(epoch)s
    FOR KEY SHARE OF space
), stored AS (
    INSERT INTO agent_values (space_id, hash, kind, body, raw)
    SELECT space_id, value.hash, value.kind, value.body, value.raw
    FROM space, json_to_recordset(%(values)s::json) value(hash bytea, kind text, body json, raw bytea)
    ON CONFLICT DO NOTHING
    RETURNING coalesce(octet_length(raw), octet_length(body::text)) AS size
)"""

# The new current state is made in the statement that unmakes the old one. Counting the demoted rows forces
# the order; of two writers at once the second meets the unique index, and its client tries again.
PUT = (
    SPACE  # noqa: S608  # joined to another constant
    + """, versions AS (
    INSERT INTO agent_channel_versions (session_id, checkpoint_ns, channel, version,
                                        form, items, kind, body, raw)
    SELECT %(session)s, %(ns)s, given.channel, given.version,
           given.form, given.items, given.kind, given.body, given.raw
    FROM space, json_to_recordset(%(rows)s::json)
        given(channel text, version text, form text, items bytea, kind text, body json, raw bytea)
    ON CONFLICT DO NOTHING
    RETURNING coalesce(octet_length(raw), octet_length(body::text)) AS size
), demoted AS (
    UPDATE agent_states SET is_current = false FROM space
    WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s AND is_current AND checkpoint_id < %(id)s
    RETURNING 1
)
INSERT INTO agent_states (state_id, project_id, session_id, checkpoint_ns, checkpoint_id, parent_id,
                          state_hash, state_data, metadata, size_bytes, is_current)
SELECT CASE WHEN EXISTS (SELECT FROM agent_states WHERE state_id = %(id)s
                         AND (session_id, checkpoint_ns) <> (%(session)s, %(ns)s))
            THEN %(other_id)s ELSE %(id)s END,
       project_id, %(session)s, %(ns)s, %(id)s, %(parent)s::uuid,
       %(hash)s, %(data)s::jsonb, %(metadata)s::jsonb,
       (SELECT coalesce(sum(size), 0) FROM (TABLE stored UNION ALL TABLE versions) added),
       NOT EXISTS (SELECT FROM agent_states WHERE session_id = %(session)s AND checkpoint_ns = %(ns)s
                   AND checkpoint_id > %(id)s)
FROM space, (SELECT count(*) FROM demoted) after_the_demotion
ON CONFLICT (session_id, checkpoint_ns, checkpoint_id) DO UPDATE
    SET parent_id = excluded.parent_id, state_hash = excluded.state_hash, state_data = excluded.state_data,
        metadata = excluded.metadata, size_bytes = agent_states.size_bytes + excluded.size_bytes
RETURNING 1
"""
)

# Only LangGraph's special writes (negative idx) replace earlier ones.
PUT_WRITES = (
    SPACE  # noqa: S608  # joined to another constant
    + """, written AS (
    INSERT INTO agent_state_writes (session_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path,
                                    channel, form, items, kind, body, raw)
    SELECT %(session)s, %(ns)s, %(id)s, %(task)s, given.idx, %(path)s, given.channel,
           given.form, given.items, given.kind, given.body, given.raw
    FROM space, json_to_recordset(%(rows)s::json)
        given(idx int, channel text, form text, items bytea, kind text, body json, raw bytea)
    ON CONFLICT (session_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE
        SET task_path = excluded.task_path, channel = excluded.channel, form = excluded.form,
            items = excluded.items, kind = excluded.kind, body = excluded.body, raw = excluded.raw
        WHERE excluded.idx < 0
)
SELECT 1 FROM space
"""
)

# One row is one checkpoint with all that names its values: columns as reading.StateRow has them.
_STATE = """
SELECT state.session_id, session.thread_id, state.checkpoint_ns, state.checkpoint_id, state.parent_id,
       state.state_data::text, state.metadata::text, state.state_hash, space.epoch, space.space_id,
       (SELECT array_agg(ROW(version.channel, version.items, version.kind,
                             coalesce(version.raw, convert_to(version.body::text, 'UTF8'))))
        FROM jsonb_each_text(state.state_data -> 'channel_versions') named
        JOIN agent_channel_versions version
          ON version.session_id = state.session_id AND version.checkpoint_ns = state.checkpoint_ns
         AND version.channel = named.key AND version.version = named.value),
       (SELECT array_agg(ROW(write.task_id, write.channel, write.items, write.kind,
                             coalesce(write.raw, convert_to(write.body::text, 'UTF8')))
                         ORDER BY write.task_path COLLATE "C", write.task_id COLLATE "C", write.idx)
        FROM agent_state_writes write
        WHERE write.session_id = state.session_id AND write.checkpoint_ns = state.checkpoint_ns
          AND write.checkpoint_id = state.checkpoint_id)
FROM agent_states state
JOIN agent_sessions session USING (session_id)
JOIN agent_value_spaces space USING (space_id)
"""
_ONE = "WHERE state.session_id = %(session)s AND state.checkpoint_ns = %(ns)s"
GET_LATEST = f"{_STATE} {_ONE} ORDER BY state.checkpoint_id DESC LIMIT 1"
GET_EXACT = f"{_STATE} {_ONE} AND state.checkpoint_id = %(id)s"
LIST = f"""
{_STATE} WHERE {{conditions}}
ORDER BY state.checkpoint_id DESC, state.session_id DESC, state.checkpoint_ns DESC LIMIT {{size}}
"""

VERSIONS = """
SELECT version.channel, version.items, version.kind,
       coalesce(version.raw, convert_to(version.body::text, 'UTF8'))
FROM json_each_text(%(versions)s::json) named
JOIN agent_channel_versions version
  ON version.session_id = %(session)s AND version.checkpoint_ns = %(ns)s
 AND version.channel = named.key AND version.version = named.value
"""

VALUES = """
SELECT hash, kind, coalesce(raw, convert_to(body::text, 'UTF8'))
FROM agent_values WHERE space_id = ANY(%(spaces)s) AND hash = ANY(%(hashes)s)
"""
