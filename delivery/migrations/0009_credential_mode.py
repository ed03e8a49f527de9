"""A credential is live or for tests as its app is, and the database holds it to that."""

from django.db import migrations, models

SAME_MODE = """
ALTER TABLE delivery_providercredential ADD CONSTRAINT credential_has_its_apps_mode
    FOREIGN KEY (app_id, mode) REFERENCES crm_app (id, mode)
"""


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0007_test_apps'),
        ('delivery', '0008_audited'),
    ]

    reviewed = {"RunSQL delivery": "locks apps and credentials, some thousand rows, for a moment"}

    operations = [
        migrations.AddField(
            model_name='providercredential',
            name='mode',
            field=models.CharField(choices=[('live', 'live'), ('test', 'test: its pushes reach the simulator only')], db_default='live', default='live', editable=False, max_length=4),
        ),
        migrations.AddField(
            model_name='providercredential',
            name='warned_days',
            field=models.SmallIntegerField(editable=False, null=True),
        ),
        migrations.RunSQL(
            SAME_MODE,
            "ALTER TABLE delivery_providercredential DROP CONSTRAINT credential_has_its_apps_mode",
        ),
    ]
