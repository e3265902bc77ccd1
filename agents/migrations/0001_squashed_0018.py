"""All tables in one step: Django renders the models anew for each operation, and the steps have eight times as many."""

import agents.ids
import agents.lifecycle
import agents.models.events
import agents.models.sessions
import agents.models.states
import agents.models.upkeep
import agents.roles
import agents.words
import django.contrib.auth.models
import django.contrib.auth.validators
import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.fields.json
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

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

    replaces = [('agents', '0001_initial'), ('agents', '0002_time_travel'), ('agents', '0003_checkpoint_names'), ('agents', '0004_fork_bases'), ('agents', '0005_stored_by_item'), ('agents', '0006_damage'), ('agents', '0007_pruning'), ('agents', '0008_lean_states'), ('agents', '0009_event_store'), ('agents', '0010_resilience'), ('agents', '0011_control'), ('agents', '0012_details_and_batches'), ('agents', '0013_coordination'), ('agents', '0014_pauses'), ('agents', '0015_budget_waits'), ('agents', '0016_approval_desk'), ('agents', '0017_api_tokens'), ('agents', '0018_notifications')]

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.RunSQL('CREATE SEQUENCE agent_value_epoch', 'DROP SEQUENCE agent_value_epoch'),
        migrations.RunSQL('CREATE SEQUENCE agent_event_position', 'DROP SEQUENCE agent_event_position'),
        migrations.RunSQL(HASHES, 'DROP FUNCTION agent_items(bytea)'),
        migrations.RunSQL(SPLICED, 'DROP FUNCTION agent_spliced(bytea, bytea, integer, integer)'),
        migrations.CreateModel(
            name='EventConsumer',
            fields=[
                ('name', models.TextField(primary_key=True, serialize=False)),
                ('transaction_id', agents.models.events.TransactionId(default=0)),
                ('position', models.BigIntegerField(default=0)),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'event_consumers',
            },
        ),
        migrations.CreateModel(
            name='ValueSpace',
            fields=[
                ('space_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('epoch', models.BigIntegerField(db_default=models.Func(models.Value('agent_value_epoch'), function='nextval'))),
            ],
            options={
                'db_table': 'agent_value_spaces',
            },
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                ('id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'db_table': 'users',
                'swappable': 'AUTH_USER_MODEL',
            },
            managers=[
                ('objects', django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name='Project',
            fields=[
                ('project_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.TextField()),
                ('slug', models.SlugField(unique=True)),
                ('max_running', models.PositiveIntegerField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'projects',
                'constraints': [models.CheckConstraint(condition=models.Q(('max_running__isnull', True), ('max_running__gte', 1), _connector='OR'), name='project_max_running')],
            },
        ),
        migrations.CreateModel(
            name='Pruning',
            fields=[
                ('pruning_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('since', models.DateTimeField(null=True)),
                ('until', models.DateTimeField()),
                ('rules', models.TextField()),
                ('stage', models.TextField(choices=[('sessions', 'Sessions'), ('spaces', 'Spaces'), ('done', 'Done')], default=agents.models.upkeep.Stage['SESSIONS'])),
                ('done_to', models.UUIDField(null=True)),
                ('held_until', models.DateTimeField()),
                ('sessions', models.BigIntegerField(db_default=0, default=0)),
                ('states', models.BigIntegerField(db_default=0, default=0)),
                ('values', models.BigIntegerField(db_default=0, default=0)),
                ('freed_bytes', models.BigIntegerField(db_default=0, default=0)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'state_prunings',
                'indexes': [models.Index(fields=['-finished_at'], name='pruning_last')],
                'constraints': [models.CheckConstraint(condition=models.Q(('stage__in', ['sessions', 'spaces', 'done'])), name='pruning_stage'), models.UniqueConstraint(models.Value(1), condition=models.Q(('finished_at__isnull', True)), name='pruning_one_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='AgentSession',
            fields=[
                ('session_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('agent_type', models.TextField()),
                ('level', models.TextField(choices=[('queen', 'Queen'), ('architect', 'Architect'), ('specialist', 'Specialist'), ('worker', 'Worker')])),
                ('name', models.TextField()),
                ('goal', models.TextField(db_default='', default='')),
                ('activity', models.TextField(db_default='', default='')),
                ('status', models.TextField(choices=[('idle', 'Idle'), ('queued', 'Queued'), ('running', 'Running'), ('waiting_children', 'Waiting children'), ('waiting_approval', 'Waiting approval'), ('waiting_event', 'Waiting event'), ('waiting_timer', 'Waiting timer'), ('paused', 'Paused'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default=agents.lifecycle.SessionStatus['IDLE'])),
                ('priority', models.SmallIntegerField(db_default=0, default=0)),
                ('path', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), db_default=[], default=list, size=None)),
                ('depth', models.GeneratedField(db_persist=True, expression=models.Func(models.F('path'), function='cardinality'), output_field=models.SmallIntegerField())),
                ('position', models.IntegerField(db_default=0, default=0)),
                ('forked_at', models.UUIDField(null=True)),
                ('kept', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), db_default=[], default=list, size=None)),
                ('batch', models.JSONField(db_default=[], default=list)),
                ('attempt', models.IntegerField(db_default=0, default=0)),
                ('control', models.TextField(blank=True, choices=[('', ''), ('pause', 'Pause'), ('cancel', 'Cancel')], db_default='', default=agents.lifecycle.Control['NONE'])),
                ('control_reason', models.TextField(blank=True, db_default='', default='')),
                ('holds_below', models.BooleanField(db_default=False, default=False)),
                ('thread_id', models.TextField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('moved_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('move_id', models.UUIDField(null=True)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('metadata', models.JSONField(db_default={}, default=dict)),
                ('forked_from', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='forks', to='agents.agentsession')),
                ('parent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='agents.agentsession')),
                ('root', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tree', to='agents.agentsession')),
                ('stands_for', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.agentsession')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to='agents.project')),
                ('space', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to='agents.valuespace')),
            ],
            options={
                'db_table': 'agent_sessions',
                'indexes': [models.Index(fields=['user', 'status'], name='session_user_status'), models.Index(fields=['agent_type', 'status'], name='session_type_status'), models.Index(fields=['-priority', 'created_at'], name='session_priority'), models.Index(condition=models.Q(('expires_at__isnull', False)), fields=['expires_at'], name='session_expiry'), models.Index(models.F('level'), models.F('project'), agents.models.sessions.Turn(), condition=models.Q(('status', agents.lifecycle.SessionStatus['QUEUED'])), name='session_turn'), models.Index(fields=['moved_at'], name='session_moved'), models.Index(condition=models.Q(('status', agents.lifecycle.SessionStatus['RUNNING'])), fields=['project', 'level'], name='session_at_work'), models.Index(fields=['project', 'status'], name='session_project_status'), models.Index(fields=['root', 'depth', 'position'], name='session_tree'), models.Index(condition=models.Q(('parent__isnull', True)), fields=['project', '-created_at'], name='session_missions')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['idle', 'queued', 'running', 'waiting_children', 'waiting_approval', 'waiting_event', 'waiting_timer', 'paused', 'succeeded', 'failed', 'cancelled'])), name='session_status'), models.CheckConstraint(condition=models.Q(('level__in', ['queen', 'architect', 'specialist', 'worker'])), name='session_level'), models.CheckConstraint(condition=models.Q(('control__in', ['', 'pause', 'cancel'])), name='session_control'), models.CheckConstraint(condition=models.Q(('depth__lte', 3)), name='session_depth'), models.CheckConstraint(condition=models.Q(models.Q(('parent__isnull', True), ('path__len', 0), ('root', models.F('session_id'))), models.Q(('parent__isnull', False), ('path__len__gt', 0)), _connector='OR'), name='session_root'), models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', False), ('status__in', frozenset([agents.lifecycle.SessionStatus['CANCELLED'], agents.lifecycle.SessionStatus['FAILED'], agents.lifecycle.SessionStatus['SUCCEEDED']]))), models.Q(models.Q(('status__in', frozenset([agents.lifecycle.SessionStatus['CANCELLED'], agents.lifecycle.SessionStatus['FAILED'], agents.lifecycle.SessionStatus['SUCCEEDED']])), _negated=True), ('finished_at__isnull', True)), _connector='OR'), name='session_finished'), models.UniqueConstraint(condition=models.Q(('thread_id__isnull', False)), fields=('thread_id',), name='session_thread')],
            },
        ),
        migrations.CreateModel(
            name='AgentWorkflow',
            fields=[
                ('workflow_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('workflow_name', models.TextField()),
                ('workflow_version', models.TextField()),
                ('definition', models.JSONField(db_default={}, default=dict)),
                ('is_active', models.BooleanField(db_default=True, default=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.ForeignKey(db_column='created_by', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_workflows',
                'constraints': [models.UniqueConstraint(fields=('project', 'workflow_name', 'workflow_version'), name='workflow_version_once')],
            },
        ),
        migrations.CreateModel(
            name='EventHead',
            fields=[
                ('aggregate_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('aggregate_type', models.TextField()),
                ('version', models.BigIntegerField()),
                ('at', models.DateTimeField(null=True)),
                ('hash', models.BinaryField()),
                ('archived_version', models.BigIntegerField(db_default=0, default=0)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_event_heads',
            },
        ),
        migrations.CreateModel(
            name='AgentEvent',
            fields=[
                ('event_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('event_type', models.TextField()),
                ('aggregate_id', models.UUIDField()),
                ('aggregate_type', models.TextField()),
                ('event_data', models.JSONField(db_default={}, default=dict)),
                ('metadata', models.JSONField(db_default={}, default=dict)),
                ('timestamp', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('version', models.BigIntegerField()),
                ('correlation_id', models.UUIDField()),
                ('causation_id', models.UUIDField(null=True)),
                ('hash', models.BinaryField()),
                ('transaction_id', agents.models.events.TransactionId(db_default=agents.models.events.CurrentTransaction())),
                ('position', models.BigIntegerField(db_default=models.Func(models.Value('agent_event_position'), function='nextval'))),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_events',
                'indexes': [models.Index(fields=['transaction_id', 'position'], name='event_in_order'), models.Index(fields=['project', '-timestamp'], name='event_by_time'), models.Index(fields=['correlation_id', 'timestamp'], name='event_by_mission')],
                'constraints': [models.UniqueConstraint(fields=('aggregate_type', 'aggregate_id', 'version'), name='event_version_once')],
            },
        ),
        migrations.CreateModel(
            name='StateValue',
            fields=[
                ('pk', models.CompositePrimaryKey('space_id', 'hash', blank=True, editable=False, primary_key=True, serialize=False)),
                ('hash', models.BinaryField()),
                ('kind', models.TextField()),
                ('body', agents.models.states.VerbatimJSONField(null=True)),
                ('raw', models.BinaryField(null=True)),
                ('space', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='values', to='agents.valuespace')),
            ],
            options={
                'db_table': 'agent_values',
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('membership_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('role', models.TextField(choices=[('viewer', 'Viewer'), ('operator', 'Operator'), ('approver', 'Approver'), ('admin', 'Admin')])),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='agents.project')),
            ],
            options={
                'db_table': 'project_memberships',
                'constraints': [models.UniqueConstraint(fields=('project', 'user'), name='membership_once'), models.CheckConstraint(condition=models.Q(('role__in', ['viewer', 'operator', 'approver', 'admin'])), name='membership_role')],
            },
        ),
        migrations.CreateModel(
            name='KeptResult',
            fields=[
                ('result_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.TextField(choices=[('tool', 'Tool'), ('model', 'Model')])),
                ('key', models.TextField()),
                ('name', models.TextField()),
                ('result', models.JSONField()),
                ('origin_id', models.UUIDField()),
                ('tokens', models.IntegerField(db_default=0, default=0)),
                ('cost', models.DecimalField(db_default=0, decimal_places=6, default=0, max_digits=12)),
                ('hits', models.IntegerField(db_default=0, default=0)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('used_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('expires_at', models.DateTimeField()),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'kept_results',
                'indexes': [models.Index(fields=['expires_at'], name='kept_result_expiry'), models.Index(fields=['project', '-used_at'], name='kept_result_use')],
                'constraints': [models.UniqueConstraint(fields=('project', 'key'), name='kept_result_key'), models.CheckConstraint(condition=models.Q(('kind__in', ['tool', 'model'])), name='kept_result_kind')],
            },
        ),
        migrations.CreateModel(
            name='EventSnapshot',
            fields=[
                ('snapshot_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('aggregate_id', models.UUIDField()),
                ('aggregate_type', models.TextField()),
                ('snapshot_data', models.JSONField(db_default={}, default=dict)),
                ('version', models.BigIntegerField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'event_snapshots',
                'constraints': [models.UniqueConstraint(fields=('aggregate_type', 'aggregate_id', 'version'), name='snapshot_once')],
            },
        ),
        migrations.CreateModel(
            name='EventArchive',
            fields=[
                ('archive_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('mission_id', models.UUIDField()),
                ('part', models.IntegerField()),
                ('aggregates', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('events', models.IntegerField()),
                ('body', models.BinaryField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'event_archives',
                'indexes': [django.contrib.postgres.indexes.GinIndex(fields=['aggregates'], name='archive_aggregates')],
                'constraints': [models.UniqueConstraint(fields=('mission_id', 'part'), name='archive_part_once')],
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('audit_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('action', models.TextField()),
                ('target_type', models.TextField()),
                ('target_id', models.UUIDField()),
                ('detail', models.JSONField(db_default={}, default=dict)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='agents.project')),
            ],
            options={
                'db_table': 'audit_entries',
                'indexes': [models.Index(fields=['project', '-created_at'], name='audit_by_time'), models.Index(fields=['target_type', 'target_id'], name='audit_by_target')],
            },
        ),
        migrations.CreateModel(
            name='Absence',
            fields=[
                ('absence_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('until', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='absences', to='agents.project')),
                ('stand_in', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='absences', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'absences',
                'indexes': [models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['project', 'user'], name='absence_open')],
                'constraints': [models.CheckConstraint(condition=models.Q(('user', models.F('stand_in')), _negated=True), name='absence_other'), models.CheckConstraint(condition=models.Q(('until__isnull', True), ('until__gt', models.F('since')), _connector='OR'), name='absence_time')],
            },
        ),
        migrations.CreateModel(
            name='ApprovalRule',
            fields=[
                ('rule_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.TextField()),
                ('tool_name', models.TextField()),
                ('verdict', models.TextField(choices=[('approve', 'Approve'), ('reject', 'Reject')])),
                ('conditions', models.JSONField(db_default={}, default=dict)),
                ('reason', models.TextField(db_default='', default='')),
                ('hits', models.IntegerField(db_default=0, default=0)),
                ('last_hit_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('expires_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='approval_rules', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='approval_rules', to='agents.project')),
                ('revoked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'approval_rules',
                'indexes': [models.Index(condition=models.Q(('revoked_at__isnull', True)), fields=['project', 'tool_name'], name='rule_in_force')],
                'constraints': [models.CheckConstraint(condition=models.Q(('verdict__in', ['approve', 'reject'])), name='rule_verdict'), models.CheckConstraint(condition=models.Q(models.Q(('verdict', agents.lifecycle.RuleVerdict['REJECT']), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='rule_reason'), models.CheckConstraint(condition=models.Q(('expires_at__isnull', True), ('expires_at__gt', models.F('created_at')), _connector='OR'), name='rule_expiry')],
            },
        ),
        migrations.CreateModel(
            name='PolicyVersion',
            fields=[
                ('version_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('number', models.IntegerField()),
                ('document', models.JSONField(db_default={}, default=dict)),
                ('note', models.TextField(db_default='', default='')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='policies', to='agents.project')),
            ],
            options={
                'db_table': 'policy_versions',
                'constraints': [models.UniqueConstraint(fields=('project', 'number'), name='policy_number'), models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='policy_number_positive')],
            },
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('token_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.TextField()),
                ('prefix', models.TextField()),
                ('hash', models.TextField(unique=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('expires_at', models.DateTimeField(null=True)),
                ('last_used_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_tokens', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'api_tokens',
                'indexes': [models.Index(fields=['user', '-created_at'], name='token_by_user')],
                'constraints': [models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='token_name'), models.CheckConstraint(condition=models.Q(('expires_at__isnull', True), ('expires_at__gt', models.F('created_at')), _connector='OR'), name='token_expiry')],
            },
        ),
        migrations.CreateModel(
            name='Mailbox',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='mailbox', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('address', models.TextField(db_default='', default='')),
                ('next_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'notice_mailboxes',
            },
        ),
        migrations.CreateModel(
            name='NoticeChoice',
            fields=[
                ('choice_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('channel', models.TextField(choices=[('browser', 'Browser'), ('mail', 'Mail'), ('webhook', 'Webhook')])),
                ('occasion', models.TextField(choices=[('asked', 'Asked'), ('assigned', 'Assigned'), ('reminded', 'Reminded'), ('escalated', 'Escalated'), ('nearly_due', 'Nearly due'), ('expired', 'Expired'), ('decided', 'Decided'), ('test', 'Test')])),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notice_choices', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'notice_choices',
                'constraints': [models.UniqueConstraint(fields=('project', 'user', 'channel', 'occasion'), name='notice_choice_once'), models.CheckConstraint(condition=models.Q(('channel__in', [agents.words.Channel['BROWSER'], agents.words.Channel['MAIL']]), models.Q(('occasion', agents.words.Occasion['TEST']), _negated=True)), name='notice_choice_channel'), models.CheckConstraint(condition=models.Q(('occasion__in', ['asked', 'assigned', 'reminded', 'escalated', 'nearly_due', 'expired', 'decided', 'test'])), name='notice_choice_occasion')],
            },
        ),
        migrations.CreateModel(
            name='PushSubscription',
            fields=[
                ('subscription_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('endpoint', models.TextField(unique=True)),
                ('key', models.TextField()),
                ('auth', models.TextField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='push_subscriptions', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'push_subscriptions',
            },
        ),
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('webhook_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.TextField()),
                ('url', models.TextField()),
                ('occasions', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(choices=[('asked', 'Asked'), ('assigned', 'Assigned'), ('reminded', 'Reminded'), ('escalated', 'Escalated'), ('nearly_due', 'Nearly due'), ('expired', 'Expired'), ('decided', 'Decided'), ('test', 'Test')]), size=None)),
                ('with_arguments', models.BooleanField(db_default=False, default=False)),
                ('secret_kind', models.TextField()),
                ('secret', models.BinaryField()),
                ('old_secret_kind', models.TextField(db_default='', default='')),
                ('old_secret', models.BinaryField(null=True)),
                ('old_until', models.DateTimeField(null=True)),
                ('disabled_why', models.TextField(db_default='', default='')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('removed_at', models.DateTimeField(null=True)),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='webhooks', to='agents.project')),
            ],
            options={
                'db_table': 'webhooks',
                'indexes': [models.Index(condition=models.Q(('removed_at__isnull', True)), fields=['project'], name='webhook_kept')],
            },
        ),
        migrations.CreateModel(
            name='AgentRun',
            fields=[
                ('run_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('number', models.IntegerField()),
                ('command', models.TextField()),
                ('input', models.JSONField(db_default={}, default=dict)),
                ('status', models.TextField(choices=[('active', 'Active'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default=agents.lifecycle.RunStatus['ACTIVE'])),
                ('crashes', models.IntegerField(db_default=0, default=0)),
                ('pauses', models.JSONField(db_default={}, default=dict)),
                ('output', models.JSONField(null=True)),
                ('error', models.TextField(db_default='', default='')),
                ('error_code', models.TextField(db_default='', default='')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('finished_at', models.DateTimeField(null=True)),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='agents.agentsession')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_runs',
                'constraints': [models.UniqueConstraint(fields=('session', 'number'), name='run_number'), models.UniqueConstraint(condition=models.Q(('status', agents.lifecycle.RunStatus['ACTIVE'])), fields=('session',), name='run_one_active'), models.CheckConstraint(condition=models.Q(('status__in', ['active', 'succeeded', 'failed', 'cancelled'])), name='run_status')],
            },
        ),
        migrations.CreateModel(
            name='Spending',
            fields=[
                ('session', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='spending', serialize=False, to='agents.agentsession')),
                ('tokens', models.BigIntegerField(db_default=0, default=0)),
                ('cost', models.DecimalField(db_default=0, decimal_places=6, default=0, max_digits=14)),
                ('milliseconds', models.BigIntegerField(db_default=0, default=0)),
                ('steps', models.BigIntegerField(db_default=0, default=0)),
                ('children', models.BigIntegerField(db_default=0, default=0)),
            ],
            options={
                'db_table': 'agent_spending',
            },
        ),
        migrations.CreateModel(
            name='AgentCoordination',
            fields=[
                ('coordination_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.TextField(choices=[('active', 'Active'), ('completed', 'Completed'), ('failed', 'Failed')], default=agents.words.CoordinationStatus['ACTIVE'])),
                ('current_step', models.TextField(db_default='', default='')),
                ('step_sequence', models.JSONField(db_default=[], default=list)),
                ('coordination_data', models.JSONField(db_default={}, default=dict)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('coordinator_session', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='coordination', to='agents.agentsession')),
                ('workflow', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='coordinations', to='agents.agentworkflow')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_coordination',
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['active', 'completed', 'failed'])), name='coordination_status')],
            },
        ),
        migrations.CreateModel(
            name='ChannelVersion',
            fields=[
                ('pk', models.CompositePrimaryKey('session_id', 'checkpoint_ns', 'channel', 'version', blank=True, editable=False, primary_key=True, serialize=False)),
                ('checkpoint_ns', models.TextField(db_default='')),
                ('channel', models.TextField()),
                ('version', models.TextField()),
                ('form', models.TextField()),
                ('level', models.SmallIntegerField(db_default=0)),
                ('base', models.TextField(null=True)),
                ('head', models.IntegerField(db_default=0)),
                ('tail', models.IntegerField(db_default=0)),
                ('items', models.BinaryField(null=True)),
                ('kind', models.TextField(null=True)),
                ('body', agents.models.states.VerbatimJSONField(null=True)),
                ('raw', models.BinaryField(null=True)),
                ('session', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.agentsession')),
            ],
            options={
                'db_table': 'agent_channel_versions',
            },
        ),
        migrations.CreateModel(
            name='AgentState',
            fields=[
                ('state_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('checkpoint_ns', models.TextField(db_default='')),
                ('checkpoint_id', models.UUIDField()),
                ('parent_id', models.UUIDField(null=True)),
                ('checkpoint_name', models.TextField(db_default='')),
                ('state_data', models.JSONField(db_default={})),
                ('state_hash', models.BinaryField()),
                ('seal', models.BinaryField(null=True)),
                ('metadata', models.JSONField(db_default={})),
                ('size_bytes', models.BigIntegerField(db_default=0)),
                ('is_current', models.BooleanField()),
                ('damaged_at', models.DateTimeField(null=True)),
                ('is_fork_base', models.BooleanField(db_default=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('session', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='states', to='agents.agentsession')),
                ('project', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_states',
                'indexes': [models.Index(django.db.models.fields.json.KeyTextTransform('run_id', 'metadata'), condition=models.Q(('metadata__has_key', 'run_id')), name='state_run'), models.Index(models.F('damaged_at'), condition=models.Q(('damaged_at__isnull', False)), name='state_damaged')],
                'constraints': [models.UniqueConstraint(fields=('session', 'checkpoint_ns', 'checkpoint_id'), name='state_once'), models.UniqueConstraint(condition=models.Q(('is_current', True)), fields=('session', 'checkpoint_ns'), name='state_one_current'), models.UniqueConstraint(condition=models.Q(('checkpoint_name', ''), _negated=True), fields=('session', 'checkpoint_name'), name='state_name_once')],
            },
        ),
        migrations.CreateModel(
            name='AgentMessage',
            fields=[
                ('message_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('message_type', models.TextField(choices=[('human', 'Human'), ('ai', 'Ai'), ('tool', 'Tool'), ('system', 'System')])),
                ('role', models.TextField()),
                ('content', models.TextField()),
                ('metadata', models.JSONField(db_default={}, default=dict)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('read_at', models.DateTimeField(null=True)),
                ('parent_message', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='replies', to='agents.agentmessage')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='agents.agentsession')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_messages',
                'indexes': [models.Index(fields=['session', 'created_at'], name='message_by_time'), models.Index(condition=models.Q(('message_type', agents.words.MessageType['HUMAN'])), fields=['session'], name='message_to_agent')],
                'constraints': [models.CheckConstraint(condition=models.Q(('message_type__in', ['human', 'ai', 'tool', 'system'])), name='message_type')],
            },
        ),
        migrations.CreateModel(
            name='SessionWait',
            fields=[
                ('wait_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('interrupt_id', models.TextField()),
                ('kind', models.TextField(choices=[('children', 'Children'), ('approval', 'Approval'), ('uncertain', 'Uncertain'), ('foreign', 'Foreign'), ('timer', 'Timer'), ('event', 'Event'), ('reply', 'Reply'), ('budget', 'Budget')])),
                ('request', models.JSONField(db_default={}, default=dict)),
                ('subject', models.TextField()),
                ('reason', models.TextField(db_default='', default='')),
                ('needs', models.TextField(choices=[('all', 'All'), ('some', 'Some'), ('any', 'Any')], default=agents.lifecycle.ChildrenNeeded['ALL'])),
                ('needed', models.IntegerField(db_default=1, default=1)),
                ('others_go_on', models.BooleanField(db_default=False, default=False)),
                ('remaining', models.IntegerField(db_default=1, default=1)),
                ('succeeded', models.IntegerField(db_default=0, default=0)),
                ('due_at', models.DateTimeField(null=True)),
                ('signal', models.TextField(db_default='', default='')),
                ('answer', models.JSONField(null=True)),
                ('answered_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='waits', to='agents.agentsession')),
            ],
            options={
                'db_table': 'session_waits',
                'indexes': [models.Index(condition=models.Q(('answered_at__isnull', True)), fields=['session'], name='wait_open'), models.Index(condition=models.Q(('answered_at__isnull', True), ('due_at__isnull', False)), fields=['due_at'], name='wait_due'), models.Index(condition=models.Q(('answered_at__isnull', True), models.Q(('signal', ''), _negated=True)), fields=['signal'], name='wait_signal'), models.Index(condition=models.Q(('answered_at__isnull', True), ('kind', agents.lifecycle.WaitKind['BUDGET'])), fields=['interrupt_id'], name='wait_budget')],
                'constraints': [models.UniqueConstraint(fields=('session', 'interrupt_id'), name='wait_once'), models.CheckConstraint(condition=models.Q(('remaining__gte', 0)), name='wait_remaining'), models.CheckConstraint(condition=models.Q(('kind__in', ['children', 'approval', 'uncertain', 'foreign', 'timer', 'event', 'reply', 'budget'])), name='wait_kind'), models.CheckConstraint(condition=models.Q(('needs__in', ['all', 'some', 'any'])), name='wait_needs')],
            },
        ),
        migrations.CreateModel(
            name='Signal',
            fields=[
                ('signal_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('name', models.TextField()),
                ('payload', models.JSONField(null=True)),
                ('everyone', models.BooleanField(db_default=False, default=False)),
                ('sender', models.TextField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('taken_at', models.DateTimeField(null=True)),
                ('mission', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='signals', to='agents.agentsession')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'signals',
                'indexes': [models.Index(condition=models.Q(('taken_at__isnull', True)), fields=['mission', 'name', 'created_at'], name='signal_kept')],
            },
        ),
        migrations.CreateModel(
            name='StateWrite',
            fields=[
                ('pk', models.CompositePrimaryKey('session_id', 'checkpoint_ns', 'checkpoint_id', 'task_id', 'idx', blank=True, editable=False, primary_key=True, serialize=False)),
                ('checkpoint_ns', models.TextField(db_default='')),
                ('checkpoint_id', models.UUIDField()),
                ('task_id', models.TextField()),
                ('idx', models.IntegerField()),
                ('task_path', models.TextField(db_default='')),
                ('channel', models.TextField()),
                ('form', models.TextField()),
                ('items', models.BinaryField(null=True)),
                ('kind', models.TextField(null=True)),
                ('body', agents.models.states.VerbatimJSONField(null=True)),
                ('raw', models.BinaryField(null=True)),
                ('session', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.agentsession')),
            ],
            options={
                'db_table': 'agent_state_writes',
            },
        ),
        migrations.CreateModel(
            name='ToolExecution',
            fields=[
                ('execution_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('call_key', models.TextField()),
                ('generation', models.IntegerField(db_default=0, default=0)),
                ('superseded_at', models.DateTimeField(null=True)),
                ('tool_name', models.TextField()),
                ('tool_version', models.TextField()),
                ('risk', models.TextField(choices=[('low', 'Low'), ('medium', 'Medium'), ('high', 'High')])),
                ('policy', models.TextField(choices=[('run', 'Run'), ('ask', 'Ask'), ('refuse', 'Refuse')])),
                ('intent', models.TextField(db_default='', default='')),
                ('input_data', models.JSONField(db_default={}, default=dict)),
                ('input_digest', models.TextField()),
                ('effective_data', models.JSONField(null=True)),
                ('output_data', models.JSONField(null=True)),
                ('status', models.TextField(choices=[('pending', 'Pending'), ('running', 'Running'), ('completed', 'Completed'), ('failed', 'Failed'), ('refused', 'Refused')], default=agents.lifecycle.ExecutionStatus['PENDING'])),
                ('error_message', models.TextField(db_default='', default='')),
                ('attempt', models.IntegerField(db_default=0, default=0)),
                ('tries', models.IntegerField(db_default=0, default=0)),
                ('is_reused', models.BooleanField(db_default=False, default=False)),
                ('doubts', django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), db_default=[], default=list, size=None)),
                ('execution_time_ms', models.IntegerField(null=True)),
                ('cost_estimate', models.DecimalField(db_default=0, decimal_places=6, default=0, max_digits=10)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('started_at', models.DateTimeField(null=True)),
                ('completed_at', models.DateTimeField(null=True)),
                ('answered_from', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='agents.toolexecution')),
                ('compensates', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='compensation', to='agents.toolexecution')),
                ('kept_from', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='copies', to='agents.toolexecution')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='executions', to='agents.agentsession')),
                ('policy_rule', models.TextField(db_default='', default='')),
                ('policy_version', models.IntegerField(null=True)),
            ],
            options={
                'db_table': 'tool_executions',
                'indexes': [models.Index(fields=['session', 'created_at'], name='execution_by_time'), models.Index(fields=['project', 'tool_name'], name='execution_by_tool')],
                'constraints': [models.UniqueConstraint(fields=('session', 'call_key', 'generation'), name='execution_generation'), models.UniqueConstraint(condition=models.Q(('superseded_at__isnull', True)), fields=('session', 'call_key'), name='execution_current'), models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'running', 'completed', 'failed', 'refused'])), name='execution_status'), models.CheckConstraint(condition=models.Q(('policy__in', ['run', 'ask', 'refuse'])), name='execution_policy'), models.CheckConstraint(condition=models.Q(('risk__in', ['low', 'medium', 'high'])), name='execution_risk')],
            },
        ),
        migrations.CreateModel(
            name='Budget',
            fields=[
                ('session', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='budget', serialize=False, to='agents.agentsession')),
                ('tokens', models.BigIntegerField(null=True)),
                ('cost', models.DecimalField(decimal_places=6, max_digits=14, null=True)),
                ('seconds', models.BigIntegerField(null=True)),
                ('steps', models.BigIntegerField(null=True)),
                ('children', models.BigIntegerField(null=True)),
                ('round', models.IntegerField(db_default=1, default=1)),
                ('warned', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), db_default=[], default=list, size=None)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_budgets',
            },
        ),
        migrations.CreateModel(
            name='SessionLease',
            fields=[
                ('session', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='lease', serialize=False, to='agents.agentsession')),
                ('attempt', models.IntegerField()),
                ('until', models.DateTimeField()),
                ('holder', models.TextField()),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'session_leases',
                'indexes': [models.Index(fields=['until'], name='lease_until')],
            },
        ),
        migrations.CreateModel(
            name='ModelCall',
            fields=[
                ('call_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('model', models.TextField()),
                ('purpose', models.TextField()),
                ('input_tokens', models.IntegerField(default=0)),
                ('output_tokens', models.IntegerField(default=0)),
                ('cost', models.DecimalField(decimal_places=6, default=0, max_digits=12)),
                ('tries', models.IntegerField(default=1)),
                ('tasks', models.IntegerField(db_default=1, default=1)),
                ('duration_ms', models.IntegerField()),
                ('is_reused', models.BooleanField(db_default=False, default=False)),
                ('saved_tokens', models.IntegerField(db_default=0, default=0)),
                ('saved_cost', models.DecimalField(db_default=0, decimal_places=6, default=0, max_digits=12)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('answered_from', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='agents.modelcall')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='model_calls', to='agents.agentsession')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'model_calls',
                'indexes': [models.Index(fields=['session'], name='model_call_session'), models.Index(fields=['project', 'created_at'], name='model_call_by_time')],
            },
        ),
        migrations.CreateModel(
            name='CommunicationReading',
            fields=[
                ('reading_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('checkpoint_id', models.UUIDField()),
                ('saved_at', models.DateTimeField()),
                ('read', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), db_default=[], default=list, size=None)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='readings', to='agents.agentsession')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'communication_readings',
                'constraints': [models.UniqueConstraint(fields=('session', 'checkpoint_id'), name='communication_read_once')],
            },
        ),
        migrations.CreateModel(
            name='AgentParticipant',
            fields=[
                ('participant_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('agent_role', models.TextField(choices=[('coordinator', 'Coordinator'), ('delegator', 'Delegator'), ('specialist', 'Specialist'), ('worker', 'Worker')])),
                ('status', models.TextField(choices=[('assigned', 'Assigned'), ('completed', 'Completed'), ('failed', 'Failed')], default=agents.words.ParticipantStatus['ASSIGNED'])),
                ('capabilities', models.JSONField(db_default=[], default=list)),
                ('assignment_data', models.JSONField(db_default={}, default=dict)),
                ('joined_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('coordination', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='participants', to='agents.agentcoordination')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='parts', to='agents.agentsession')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_participants',
                'constraints': [models.UniqueConstraint(fields=('coordination', 'session'), name='participant_once'), models.CheckConstraint(condition=models.Q(('agent_role__in', ['coordinator', 'delegator', 'specialist', 'worker'])), name='participant_role'), models.CheckConstraint(condition=models.Q(('status__in', ['assigned', 'completed', 'failed'])), name='participant_status')],
            },
        ),
        migrations.CreateModel(
            name='Rewind',
            fields=[
                ('rewind_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('kind', models.TextField(choices=[('edit', 'Edit'), ('fork', 'Fork'), ('replay', 'Replay'), ('rollback', 'Rollback')])),
                ('checkpoint_id', models.UUIDField()),
                ('seen_id', models.UUIDField()),
                ('chosen', models.JSONField(db_default={}, default=dict)),
                ('change', models.TextField(db_default='', default='')),
                ('status', models.TextField(choices=[('open', 'Open'), ('done', 'Done'), ('failed', 'Failed')], default=agents.lifecycle.RewindStatus['OPEN'])),
                ('error', models.TextField(db_default='', default='')),
                ('new_checkpoint_id', models.UUIDField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('finished_at', models.DateTimeField(null=True)),
                ('fork', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.agentsession')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
                ('run', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.agentrun')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rewinds', to='agents.agentsession')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'session_rewinds',
                'indexes': [models.Index(fields=['session', 'created_at'], name='rewind_by_time')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['edit', 'fork', 'replay', 'rollback'])), name='rewind_kind'), models.CheckConstraint(condition=models.Q(('status__in', ['open', 'done', 'failed'])), name='rewind_status'), models.UniqueConstraint(condition=models.Q(('status', agents.lifecycle.RewindStatus['OPEN'])), fields=('session',), name='rewind_one_open'), models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', True), ('status', agents.lifecycle.RewindStatus['OPEN'])), models.Q(models.Q(('status', agents.lifecycle.RewindStatus['OPEN']), _negated=True), ('finished_at__isnull', False)), _connector='OR'), name='rewind_finished')],
            },
        ),
        migrations.CreateModel(
            name='AgentCommunication',
            fields=[
                ('communication_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('message_type', models.TextField(choices=[('task_assignment', 'Task assignment'), ('status_update', 'Status update'), ('result', 'Result'), ('error', 'Error'), ('reply', 'Reply'), ('strategic_decision', 'Strategic decision'), ('quality_gate', 'Quality gate'), ('performance', 'Performance'), ('peer_message', 'Peer message'), ('design_consistency', 'Design consistency'), ('resource_sharing', 'Resource sharing'), ('escalation', 'Escalation'), ('knowledge_sharing', 'Knowledge sharing'), ('validation', 'Validation'), ('synthesis', 'Synthesis'), ('resource_reallocation', 'Resource reallocation'), ('batch', 'Batch')])),
                ('message_content', models.JSONField(db_default={}, default=dict)),
                ('priority', models.SmallIntegerField(db_default=0, default=0)),
                ('outcome', models.TextField(blank=True, choices=[('', ''), ('answered', 'Answered'), ('timed_out', 'Timed out'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn'), ('passed_on', 'Passed on')], db_default='', default='')),
                ('requires_response', models.BooleanField(db_default=False, default=False)),
                ('response_timeout', models.DurationField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('processed_at', models.DateTimeField(null=True)),
                ('parent_communication', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='followers', to='agents.agentcommunication')),
                ('coordination', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='communications', to='agents.agentcoordination')),
                ('receiver_session', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='received', to='agents.agentsession')),
                ('sender_session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sent', to='agents.agentsession')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
                ('wait', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='requests', to='agents.sessionwait')),
            ],
            options={
                'db_table': 'agent_communications',
                'indexes': [models.Index(condition=models.Q(('processed_at__isnull', True), ('requires_response', True)), fields=['receiver_session', 'created_at'], name='communication_unanswered'), models.Index(condition=models.Q(('processed_at__isnull', True), ('wait__isnull', False)), fields=['receiver_session'], name='communication_request_open'), models.Index(fields=['coordination', 'created_at'], name='communication_by_time')],
                'constraints': [models.CheckConstraint(condition=models.Q(('message_type__in', ['task_assignment', 'status_update', 'result', 'error', 'reply', 'strategic_decision', 'quality_gate', 'performance', 'peer_message', 'design_consistency', 'resource_sharing', 'escalation', 'knowledge_sharing', 'validation', 'synthesis', 'resource_reallocation', 'batch'])), name='communication_type'), models.CheckConstraint(condition=models.Q(('outcome__in', ['', 'answered', 'timed_out', 'declined', 'withdrawn', 'passed_on'])), name='communication_outcome'), models.UniqueConstraint(condition=models.Q(('message_type', agents.words.CommunicationType['REPLY'])), fields=('parent_communication',), name='communication_reply_once')],
            },
        ),
        migrations.CreateModel(
            name='SignalDelivery',
            fields=[
                ('delivery_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.agentsession')),
                ('signal', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='agents.signal')),
                ('wait', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='delivery', to='agents.sessionwait')),
            ],
            options={
                'db_table': 'signal_deliveries',
                'constraints': [models.UniqueConstraint(fields=('signal', 'session'), name='signal_delivered_once')],
            },
        ),
        migrations.CreateModel(
            name='DeadLetter',
            fields=[
                ('letter_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.TextField(choices=[('session', 'Session'), ('tool', 'Tool'), ('task', 'Task')])),
                ('subject', models.TextField()),
                ('title', models.TextField()),
                ('task', models.TextField(db_default='', default='')),
                ('arguments', models.JSONField(db_default=[], default=list)),
                ('error_code', models.TextField()),
                ('message', models.TextField()),
                ('trace', models.TextField(db_default='', default='')),
                ('count', models.IntegerField(db_default=1, default=1)),
                ('first_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('last_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('status', models.TextField(choices=[('open', 'Open'), ('replayed', 'Replayed'), ('discarded', 'Discarded')], db_default=agents.lifecycle.LetterStatus['OPEN'], default=agents.lifecycle.LetterStatus['OPEN'])),
                ('settled_at', models.DateTimeField(null=True)),
                ('session', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='letters', to='agents.agentsession')),
                ('settled_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='letters', to='agents.project')),
                ('execution', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='letters', to='agents.toolexecution')),
            ],
            options={
                'db_table': 'dead_letters',
                'indexes': [models.Index(fields=['project', '-last_at'], name='letter_by_time')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', agents.lifecycle.LetterStatus['OPEN'])), fields=('kind', 'subject'), name='letter_once'), models.CheckConstraint(condition=models.Q(models.Q(('settled_at__isnull', True), ('status', agents.lifecycle.LetterStatus['OPEN'])), models.Q(models.Q(('status', agents.lifecycle.LetterStatus['OPEN']), _negated=True), ('settled_at__isnull', False)), _connector='OR'), name='letter_settled'), models.CheckConstraint(condition=models.Q(('kind__in', ['session', 'tool', 'task'])), name='letter_kind'), models.CheckConstraint(condition=models.Q(('status__in', ['open', 'replayed', 'discarded'])), name='letter_status')],
            },
        ),
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('approval_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('position', models.IntegerField(db_default=0, default=0)),
                ('kind', models.TextField()),
                ('title', models.TextField()),
                ('tool_name', models.TextField()),
                ('risk', models.TextField(choices=[('low', 'Low'), ('medium', 'Medium'), ('high', 'High')])),
                ('intent', models.TextField(db_default='', default='')),
                ('effects', models.JSONField(db_default=[], default=list)),
                ('proposed', models.JSONField(db_default={}, default=dict)),
                ('schema', models.JSONField(db_default={}, default=dict)),
                ('allowed', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), db_default=[], default=list, size=None)),
                ('edited', models.JSONField(null=True)),
                ('effective', models.JSONField(null=True)),
                ('effective_digest', models.TextField(db_default='', default='')),
                ('status', models.TextField(choices=[('pending', 'Pending'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('answered', 'Answered'), ('withdrawn', 'Withdrawn')], default=agents.lifecycle.ApprovalStatus['PENDING'])),
                ('verdict', models.TextField(db_default='', default='')),
                ('reason', models.TextField(db_default='', default='')),
                ('version', models.IntegerField(db_default=1, default=1)),
                ('decided_at', models.DateTimeField(null=True)),
                ('deadline_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to=settings.AUTH_USER_MODEL)),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='approvals', to='agents.agentsession')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='agents.project')),
                ('wait', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='approvals', to='agents.sessionwait')),
                ('execution', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='agents.toolexecution')),
                ('assigned_role', models.TextField(choices=[('viewer', 'Viewer'), ('operator', 'Operator'), ('approver', 'Approver'), ('admin', 'Admin')], db_default=agents.roles.Role['APPROVER'], default=agents.roles.Role['APPROVER'])),
                ('assigned_to', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='assigned_approvals', to=settings.AUTH_USER_MODEL)),
                ('claimed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('claimed_until', models.DateTimeField(null=True)),
                ('decided_how', models.TextField(blank=True, choices=[('person', 'Person'), ('rule', 'Rule'), ('policy', 'Policy'), ('deadline', 'Deadline')], db_default='', default='')),
                ('dispatched_at', models.DateTimeField(null=True)),
                ('effective_at', models.DateTimeField(null=True)),
                ('effective_tool', models.TextField(db_default='', default='')),
                ('form', models.TextField(blank=True, choices=[('inbox', 'Inbox'), ('batch', 'Batch'), ('call', 'Call'), ('open', 'Open')], db_default='', default='')),
                ('may_change_tool', models.BooleanField(db_default=False, default=False)),
                ('next_step_at', models.DateTimeField(null=True)),
                ('place', models.IntegerField(db_default=0, default=0)),
                ('policy_rule', models.TextField(db_default='', default='')),
                ('policy_version', models.IntegerField(null=True)),
                ('steps_done', models.IntegerField(db_default=0, default=0)),
                ('terms', models.JSONField(db_default={}, default=dict)),
                ('rule', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='agents.approvalrule')),
            ],
            options={
                'db_table': 'approvals',
                'indexes': [models.Index(condition=models.Q(('status', agents.lifecycle.ApprovalStatus['PENDING'])), fields=['project', 'created_at'], name='approval_pending'), models.Index(fields=['session'], name='approval_session'), models.Index(condition=models.Q(('next_step_at__isnull', False), ('status', agents.lifecycle.ApprovalStatus['PENDING'])), fields=['next_step_at'], name='approval_next_step'), models.Index(condition=models.Q(('dispatched_at__isnull', True), ('effective_at__isnull', False)), fields=['effective_at'], name='approval_to_dispatch'), models.Index(fields=['project', 'tool_name', '-decided_at'], name='approval_by_tool'), models.Index(condition=models.Q(('deadline_at__isnull', False), ('status', agents.lifecycle.ApprovalStatus['PENDING'])), fields=['deadline_at'], name='approval_deadline')],
                'constraints': [models.UniqueConstraint(fields=('wait', 'position'), name='approval_once'), models.CheckConstraint(condition=models.Q(('risk__in', ['low', 'medium', 'high'])), name='approval_risk'), models.CheckConstraint(condition=models.Q(models.Q(('status', agents.lifecycle.ApprovalStatus['REJECTED']), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='approval_reason'), models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'approved', 'rejected', 'answered', 'withdrawn'])), name='approval_status'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('effective_at__isnull', True), ('status', agents.lifecycle.ApprovalStatus['PENDING'])), models.Q(models.Q(('status', agents.lifecycle.ApprovalStatus['PENDING']), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='approval_decided'), models.CheckConstraint(condition=models.Q(models.Q(('status__in', [agents.lifecycle.ApprovalStatus['APPROVED'], agents.lifecycle.ApprovalStatus['REJECTED'], agents.lifecycle.ApprovalStatus['ANSWERED']]), _negated=True), models.Q(('decided_by__isnull', False), ('decided_how', agents.lifecycle.DecidedBy['PERSON'])), models.Q(('decided_by__isnull', True), ('decided_how', agents.lifecycle.DecidedBy['RULE']), ('rule__isnull', False)), models.Q(('decided_by__isnull', True), ('decided_how__in', [agents.lifecycle.DecidedBy['POLICY'], agents.lifecycle.DecidedBy['DEADLINE']])), _connector='OR'), name='approval_decider')],
            },
        ),
        migrations.CreateModel(
            name='Detail',
            fields=[
                ('detail_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('reference', models.TextField()),
                ('kind', models.TextField()),
                ('summary', models.TextField()),
                ('size', models.BigIntegerField()),
                ('form', models.TextField(db_default='', default='')),
                ('body', models.BinaryField(null=True)),
                ('place', models.IntegerField(null=True)),
                ('kept_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('run', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.agentrun')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='details', to='agents.agentsession')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
                ('space', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='details', to='agents.valuespace')),
            ],
            options={
                'db_table': 'agent_details',
                'constraints': [models.UniqueConstraint(fields=('space', 'reference'), name='detail_once'), models.CheckConstraint(condition=models.Q(models.Q(('body__isnull', False), ('run__isnull', True)), models.Q(('body__isnull', True), ('run__isnull', False)), _connector='OR'), name='detail_has_body')],
            },
        ),
        migrations.CreateModel(
            name='Sight',
            fields=[
                ('sight_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('first_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('last_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('approval', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sights', to='agents.approval')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'approval_sights',
                'constraints': [models.UniqueConstraint(fields=('approval', 'user'), name='sight_once')],
            },
        ),
        migrations.CreateModel(
            name='Vote',
            fields=[
                ('vote_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('key', models.TextField(db_default='', default='')),
                ('verdict', models.TextField()),
                ('tool_name', models.TextField(db_default='', default='')),
                ('arguments', models.JSONField(null=True)),
                ('digest', models.TextField(db_default='', default='')),
                ('reason', models.TextField(db_default='', default='')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('withdrawn_at', models.DateTimeField(null=True)),
                ('approval', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='votes', to='agents.approval')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.project')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='votes', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'approval_votes',
                'constraints': [models.UniqueConstraint(condition=models.Q(('withdrawn_at__isnull', True)), fields=('approval', 'user'), name='vote_once'), models.UniqueConstraint(condition=models.Q(('key', ''), _negated=True), fields=('user', 'approval', 'key'), name='vote_key')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('delivery_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('key', models.TextField()),
                ('occasion', models.TextField(choices=[('asked', 'Asked'), ('assigned', 'Assigned'), ('reminded', 'Reminded'), ('escalated', 'Escalated'), ('nearly_due', 'Nearly due'), ('expired', 'Expired'), ('decided', 'Decided'), ('test', 'Test')])),
                ('channel', models.TextField(choices=[('browser', 'Browser'), ('mail', 'Mail'), ('webhook', 'Webhook')])),
                ('detail', models.JSONField(db_default={}, default=dict)),
                ('happened_at', models.DateTimeField()),
                ('status', models.TextField(choices=[('pending', 'Pending'), ('sent', 'Sent'), ('dropped', 'Dropped'), ('given_up', 'Given up')], db_default=agents.words.DeliveryStatus['PENDING'], default=agents.words.DeliveryStatus['PENDING'])),
                ('attempts', models.IntegerField(db_default=0, default=0)),
                ('next_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('why', models.TextField(db_default='', default='')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('ended_at', models.DateTimeField(null=True)),
                ('approval', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='agents.approval')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('subscription', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='agents.pushsubscription')),
                ('webhook', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='agents.webhook')),
            ],
            options={
                'db_table': 'notice_deliveries',
                'indexes': [models.Index(condition=models.Q(('status', 'pending')), fields=['channel', 'next_at'], name='delivery_due'), models.Index(fields=['webhook', '-created_at'], name='delivery_of_webhook'), models.Index(fields=['created_at'], name='delivery_by_age')],
                'constraints': [models.CheckConstraint(condition=models.Q(('occasion__in', ['asked', 'assigned', 'reminded', 'escalated', 'nearly_due', 'expired', 'decided', 'test'])), name='delivery_occasion'), models.CheckConstraint(condition=models.Q(('channel__in', ['browser', 'mail', 'webhook'])), name='delivery_channel'), models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'sent', 'dropped', 'given_up'])), name='delivery_status'), models.CheckConstraint(condition=models.Q(models.Q(('channel', agents.words.Channel['MAIL']), ('subscription__isnull', True), ('user__isnull', False), ('webhook__isnull', True)), models.Q(('channel', agents.words.Channel['BROWSER']), ('subscription__isnull', False), ('user__isnull', False), ('webhook__isnull', True)), models.Q(('channel', agents.words.Channel['WEBHOOK']), ('subscription__isnull', True), ('user__isnull', True), ('webhook__isnull', False)), _connector='OR'), name='delivery_recipient'), models.CheckConstraint(condition=models.Q(models.Q(('approval__isnull', True), ('occasion', agents.words.Occasion['TEST'])), models.Q(models.Q(('occasion', agents.words.Occasion['TEST']), _negated=True), ('approval__isnull', False)), _connector='OR'), name='delivery_approval'), models.UniqueConstraint(fields=('key', 'channel', 'user', 'subscription', 'webhook'), name='delivery_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='DeliveryAttempt',
            fields=[
                ('attempt_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('number', models.IntegerField()),
                ('code', models.IntegerField(db_default=0, default=0)),
                ('milliseconds', models.IntegerField(db_default=0, default=0)),
                ('answer', models.TextField(db_default='', default='')),
                ('error', models.TextField(db_default='', default='')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tries', to='agents.delivery')),
            ],
            options={
                'db_table': 'notice_attempts',
                'indexes': [models.Index(fields=['delivery', 'created_at'], name='attempt_of_delivery')],
            },
        ),
        migrations.AddField(
            model_name='AgentSession',
            name='current_run',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.agentrun'),
        ),
        migrations.AddField(
            model_name='AgentSession',
            name='parent_wait',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='agents.sessionwait'),
        ),
        migrations.AddField(
            model_name='ApprovalRule',
            name='made_from',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='agents.approval'),
        ),
        migrations.AddConstraint(
            model_name='AgentSession',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('forked_at__isnull', True), ('forked_from__isnull', True)), models.Q(('forked_at__isnull', False), ('forked_from__isnull', False), ('parent_wait__isnull', True)), _connector='OR'), name='session_fork'),
        ),
        migrations.AddConstraint(
            model_name='AgentSession',
            constraint=models.UniqueConstraint(fields=('parent_wait', 'position'), name='session_child_once'),
        ),
        migrations.RunSQL(STATE_ITEMS, 'DROP VIEW agent_state_items'),
    ]

