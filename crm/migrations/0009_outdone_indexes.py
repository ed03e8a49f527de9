"""The indexes on `app` alone go: each has a longer one beside it, and a write costs what it did."""

import django.db.models.deletion
from django.db import migrations, models

OUTDONE = ("crm_channel", "crm_devicetoken", "crm_event", "crm_install", "crm_user")

ALONE = """
SELECT i.indexrelid::regclass::text
  FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'app_id'
 WHERE i.indrelid = %s::regclass AND i.indkey::text = a.attnum::text
   AND NOT i.indisunique AND i.indpred IS NULL
"""


def drop_outdone(apps, schema_editor):
    for table in OUTDONE:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(ALONE, [table])
            names = [name for (name,) in cursor.fetchall()]
        for name in names:
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def restore_outdone(apps, schema_editor):
    for table in OUTDONE:
        name = f"{table}_app_id"
        schema_editor.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} (app_id)")


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('crm', '0008_lists_by_app'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop_outdone, restore_outdone)],
            state_operations=[
                migrations.AlterField(
                    model_name='channel',
                    name='app',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='channels', to='crm.app'),
                ),
                migrations.AlterField(
                    model_name='devicetoken',
                    name='app',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='device_tokens', to='crm.app'),
                ),
                migrations.AlterField(
                    model_name='event',
                    name='app',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='crm.app'),
                ),
                migrations.AlterField(
                    model_name='install',
                    name='app',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='installs', to='crm.app'),
                ),
                migrations.AlterField(
                    model_name='user',
                    name='app',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='users', to='crm.app'),
                ),
            ],
        ),
    ]
