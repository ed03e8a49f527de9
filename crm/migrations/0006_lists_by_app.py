"""What the admin's lists walk along: the rows of an app, newest first.

Each such index takes the place of the one on `app` alone, so that a write costs what it did. All of
it happens beside the work of others (CONCURRENTLY): none of these tables may be locked for long.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
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
        ('crm', '0005_test_apps'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='channel',
            index=models.Index(fields=['app', 'id'], name='channel_of_app'),
        ),
        AddIndexConcurrently(
            model_name='channel',
            index=models.Index(fields=['app', 'name'], name='channel_name'),
        ),
        AddIndexConcurrently(
            model_name='devicetoken',
            index=models.Index(fields=['app', 'id'], name='device_token_of_app'),
        ),
        AddIndexConcurrently(
            model_name='devicetoken',
            index=models.Index(condition=models.Q(('state', 'alive'), _negated=True), fields=['app', 'id'], name='device_token_of_app_not_alive'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(fields=['app', 'id'], name='event_of_app'),
        ),
        AddIndexConcurrently(
            model_name='install',
            index=models.Index(fields=['app', 'id'], name='install_of_app'),
        ),
        AddIndexConcurrently(
            model_name='user',
            index=models.Index(fields=['app', 'id'], name='user_of_app'),
        ),
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
