"""Test twins: an app whose pushes reach the simulator only; docs/adr/0022."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0006_audit'),
    ]

    reviewed = {
        "AddField crm.app.live_app": "apps are some thousand rows at most",
        "AddConstraint crm.app": "apps are some thousand rows at most",
    }

    operations = [
        migrations.AddField(
            model_name='app',
            name='live_app',
            field=models.OneToOneField(editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='test_twin', to='crm.app'),
        ),
        migrations.AddField(
            model_name='app',
            name='mode',
            field=models.CharField(choices=[('live', 'live'), ('test', 'test: its pushes reach the simulator only')], db_default='live', default='live', editable=False, max_length=4),
        ),
        migrations.AddConstraint(
            model_name='app',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('live_app', None), ('mode', 'live')), models.Q(('live_app__isnull', False), ('mode', 'test')), _connector='OR'), name='app_is_live_or_a_twin'),
        ),
        migrations.AddConstraint(
            model_name='app',
            constraint=models.UniqueConstraint(fields=('id', 'mode'), name='app_with_its_mode'),
        ),
    ]
