import agents.ids
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import pgvector.django.halfvec
import pgvector.django.indexes
import pgvector.django.vector
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0016_approval_desk'),
        ('memory', '0002_items_of_a_store'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Dismissal',
            fields=[
                ('dismissal_id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tool_name', models.TextField()),
                ('dismissed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'suggestion_dismissals',
                'constraints': [models.UniqueConstraint(fields=('project', 'tool_name'), name='dismissal_once')],
            },
        ),
        migrations.CreateModel(
            name='Precedent',
            fields=[
                ('approval', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='agents.approval')),
                ('tool_name', models.TextField()),
                ('vector', pgvector.django.vector.VectorField(dimensions=384, null=True)),
                ('embedder', models.TextField(db_default='', default='')),
                ('claimed_until', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.project')),
            ],
            options={
                'db_table': 'approval_precedents',
                'indexes': [models.Index(condition=models.Q(('vector__isnull', True)), fields=['claimed_until'], name='precedent_to_embed'), models.Index(condition=models.Q(('decided_at__isnull', True)), fields=['approval'], name='precedent_open'), models.Index(condition=models.Q(('decided_at__isnull', False)), fields=['project'], name='precedent_of_project'), pgvector.django.indexes.HnswIndex(django.contrib.postgres.indexes.OpClass(django.db.models.functions.comparison.Cast('vector', pgvector.django.halfvec.HalfVectorField(dimensions=384)), name='halfvec_cosine_ops'), condition=models.Q(('decided_at__isnull', False)), ef_construction=64, m=16, name='precedent_nearest')],
                'constraints': [models.CheckConstraint(condition=models.Q(('decided_at__isnull', True), ('vector__isnull', False), _connector='OR'), name='precedent_has_vector')],
            },
        ),
    ]
