from django.db import migrations, models

FORMS = ["inline", "value", "list", "dict", "snapshot"]

HASHES = """
CREATE FUNCTION agent_items(items bytea) RETURNS TABLE (place integer, hash bytea)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT n, substring(items FROM n * 16 + 1 FOR 16) FROM generate_series(0, length(items) / 16 - 1) n
$$
"""
SPLICED = """
CREATE FUNCTION agent_spliced(base bytea, items bytea, head integer, tail integer) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(substring(base FROM 1 FOR head * 16), '') || items
        || coalesce(substring(base FROM length(base) - tail * 16 + 1), '')
$$
"""
# One row an item of what each checkpoint holds of a channel, for people and reports that read states in SQL.
STATE_ITEMS = """
CREATE VIEW agent_state_items AS
SELECT state.session_id, state.state_id, state.checkpoint_ns, state.checkpoint_id, version.channel, version.form,
       item.place, value.kind, value.body, value.raw
FROM agent_states state
JOIN agent_sessions session USING (session_id)
CROSS JOIN LATERAL jsonb_each_text(state.state_data -> 'channel_versions') named
JOIN agent_channel_versions version
  ON version.session_id = state.session_id AND version.checkpoint_ns = state.checkpoint_ns
 AND version.channel = named.key AND version.version = named.value
LEFT JOIN agent_channel_versions near
  ON near.session_id = version.session_id AND near.checkpoint_ns = version.checkpoint_ns
 AND near.channel = version.channel AND near.version = version.base
LEFT JOIN agent_channel_versions whole
  ON whole.session_id = near.session_id AND whole.checkpoint_ns = near.checkpoint_ns
 AND whole.channel = near.channel AND whole.version = near.base
CROSS JOIN LATERAL agent_items(agent_spliced(
    agent_spliced(whole.items, near.items, near.head, near.tail), version.items, version.head, version.tail)) item
JOIN agent_values value ON value.space_id = session.space_id AND value.hash = item.hash
"""


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0004_fork_bases'),
    ]

    operations = [
        migrations.RemoveConstraint('channelversion', 'version_form'),
        migrations.AddConstraint(
            'channelversion',
            models.CheckConstraint(condition=models.Q(('form__in', FORMS)), name='version_form'),
        ),
        migrations.RemoveConstraint('statewrite', 'write_form'),
        migrations.AddConstraint(
            'statewrite',
            models.CheckConstraint(condition=models.Q(('form__in', FORMS)), name='write_form'),
        ),
        migrations.RunSQL(HASHES, 'DROP FUNCTION agent_items(bytea)'),
        migrations.RunSQL(SPLICED, 'DROP FUNCTION agent_spliced(bytea, bytea, integer, integer)'),
        migrations.RunSQL(STATE_ITEMS, 'DROP VIEW agent_state_items'),
    ]
