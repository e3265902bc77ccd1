import agents.ids
import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import pgvector.django
import pgvector.django.halfvec
import pgvector.django.indexes
import pgvector.django.vector
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('memory', '0001_initial'), ('memory', '0002_items_of_a_store')]

    initial = True

    dependencies = [
        ('agents', '0001_initial'),
    ]

    operations = [
        pgvector.django.VectorExtension(),
        migrations.CreateModel(
            name='MissionSource',
            fields=[
                ('source_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('draft_id', models.UUIDField(null=True)),
                ('name', models.TextField()),
                ('media_type', models.TextField()),
                ('origin', models.TextField(choices=[('upload', 'Upload'), ('folder', 'Folder')])),
                ('sha256', models.TextField()),
                ('size_bytes', models.BigIntegerField()),
                ('text', models.TextField()),
                ('pages', models.IntegerField(null=True)),
                ('words', models.IntegerField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('metadata', models.JSONField(db_default={}, default=dict)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
                ('session', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='sources', to='agents.agentsession')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'mission_sources',
                'indexes': [models.Index(condition=models.Q(('session__isnull', True)), fields=['created_at'], name='source_staged')],
                'constraints': [models.UniqueConstraint(fields=('session', 'sha256'), name='source_once_a_mission'), models.UniqueConstraint(fields=('draft_id', 'sha256'), name='source_once_a_draft'), models.CheckConstraint(condition=models.Q(('session__isnull', True), ('draft_id__isnull', True), _connector='XOR'), name='source_of_mission_or_draft'), models.CheckConstraint(condition=models.Q(('origin__in', ['upload', 'folder'])), name='source_origin')],
            },
        ),
        migrations.CreateModel(
            name='MissionPassage',
            fields=[
                ('passage_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('position', models.IntegerField()),
                ('heading', models.TextField(db_default='', default='')),
                ('page', models.IntegerField(null=True)),
                ('start', models.IntegerField()),
                ('end', models.IntegerField()),
                ('content', models.TextField()),
                ('content_vector', pgvector.django.vector.VectorField(dimensions=384, null=True)),
                ('embedder', models.TextField(db_default='', default='')),
                ('search', models.GeneratedField(db_persist=True, expression=django.contrib.postgres.search.SearchVector(models.F('heading'), models.F('content'), config='english'), output_field=django.contrib.postgres.search.SearchVectorField())),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='passages', to='memory.missionsource')),
            ],
            options={
                'db_table': 'mission_passages',
                'indexes': [models.Index(condition=models.Q(('content_vector__isnull', True)), fields=['source'], name='passage_pending'), django.contrib.postgres.indexes.GinIndex(fields=['search'], name='passage_words')],
                'constraints': [models.UniqueConstraint(fields=('source', 'position'), name='passage_position'), models.CheckConstraint(condition=models.Q(('end__gt', models.F('start'))), name='passage_span')],
            },
        ),
        migrations.CreateModel(
            name='AgentMemory',
            fields=[
                ('memory_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('namespace', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), db_default=[], default=list, size=None)),
                ('key', models.TextField(null=True)),
                ('value', models.JSONField(null=True)),
                ('value_exact', models.TextField(null=True)),
                ('memory_type', models.TextField(choices=[('episodic', 'Episodic'), ('semantic', 'Semantic'), ('procedural', 'Procedural'), ('working', 'Working')])),
                ('content_text', models.TextField()),
                ('content_hash', models.TextField()),
                ('content_vector', pgvector.django.vector.VectorField(dimensions=384, null=True)),
                ('further_vectors', models.IntegerField(db_default=0, default=0)),
                ('embedder', models.TextField(db_default='', default='')),
                ('importance_score', models.FloatField(db_default=0.5, default=0.5)),
                ('access_count', models.IntegerField(db_default=0, default=0)),
                ('execution_id', models.UUIDField(null=True)),
                ('approval_id', models.UUIDField(null=True)),
                ('metadata', models.JSONField(db_default={}, default=dict)),
                ('search', models.GeneratedField(db_persist=True, expression=django.contrib.postgres.search.SearchVector(models.F('content_text'), config='english'), output_field=django.contrib.postgres.search.SearchVectorField())),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('last_accessed_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('ttl_minutes', models.FloatField(null=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
                ('session', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='memories', to='agents.agentsession')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('passage', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='memories', to='memory.missionpassage')),
            ],
            options={
                'db_table': 'agent_memory',
                'indexes': [models.Index(fields=['project', 'memory_type', '-created_at'], name='memory_by_type'), models.Index(fields=['session'], name='memory_session'), models.Index(condition=models.Q(('expires_at__isnull', False)), fields=['expires_at'], name='memory_expiry'), django.contrib.postgres.indexes.GinIndex(fields=['search'], name='memory_words'), models.Index(models.F('project'), django.db.models.functions.comparison.Collate('namespace', 'C'), condition=models.Q(('key__isnull', False)), name='memory_items'), django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass('value', name='jsonb_path_ops'), condition=models.Q(('key__isnull', False)), name='memory_item_values'), pgvector.django.indexes.HnswIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.comparison.Cast('content_vector', pgvector.django.halfvec.HalfVectorField(dimensions=384)), name='halfvec_cosine_ops'), condition=models.Q(('key__isnull', False)), ef_construction=64, m=16, name='memory_item_nearest')],
                'constraints': [models.CheckConstraint(condition=models.Q(('memory_type__in', ['episodic', 'semantic', 'procedural', 'working'])), name='memory_type'), models.CheckConstraint(condition=models.Q(('importance_score__gte', 0), ('importance_score__lte', 1)), name='memory_importance'), models.UniqueConstraint(condition=models.Q(('key__isnull', True)), fields=('project', 'namespace', 'content_hash'), name='memory_once'), models.CheckConstraint(condition=models.Q(models.Q(('key__isnull', True), ('user__isnull', False), ('value__isnull', True)), models.Q(('key__isnull', False), ('value__isnull', False)), _connector='OR'), name='memory_or_item')],
            },
        ),
        migrations.CreateModel(
            name='MemoryAccess',
            fields=[
                ('memory', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='access', serialize=False, to='memory.agentmemory')),
                ('count', models.IntegerField(db_default=0, default=0)),
                ('last_at', models.DateTimeField()),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_memory_access',
            },
        ),
        migrations.CreateModel(
            name='MemoryVector',
            fields=[
                ('vector_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('vector', pgvector.django.vector.VectorField(dimensions=384)),
                ('memory', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='vectors', to='memory.agentmemory')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'agent_memory_vectors',
                'indexes': [pgvector.django.indexes.HnswIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.comparison.Cast('vector', pgvector.django.halfvec.HalfVectorField(dimensions=384)), name='halfvec_cosine_ops'), ef_construction=64, m=16, name='memory_vector_nearest')],
            },
        ),
    ]
