import agents.lifecycle
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0014_pauses'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='sessionwait',
            index=models.Index(condition=models.Q(('answered_at__isnull', True), ('kind', agents.lifecycle.WaitKind['BUDGET'])), fields=['interrupt_id'], name='wait_budget'),
        ),
    ]
