from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0018_notifications'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='approval',
            index=models.Index(condition=models.Q(('decided_at__isnull', False)), fields=['project', 'decided_at', 'approval_id'], include=('status', 'decided_how', 'decided_by', 'risk', 'tool_name', 'session'), name='approval_decisions'),
        ),
    ]
