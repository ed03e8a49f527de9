"""Three indexes whose column is the first of another's: each row was written into both."""

import django.db.models.deletion
from django.db import migrations, models


def dropped(name: str, table: str, column: str, change: migrations.AlterField):
    """Drop an index while others go on writing; nothing else of the table changes."""
    there_and_back = migrations.RunSQL(
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} ({column})",
    )
    return migrations.SeparateDatabaseAndState([there_and_back], [change])


class Migration(migrations.Migration):
    atomic = False  # no index is dropped concurrently within a transaction
    reviewed = {"RunSQL delivery": "DROP INDEX CONCURRENTLY, which waits for others and holds none up"}

    dependencies = [("delivery", "0006_hour_tally")]

    operations = [
        dropped(
            "delivery_notification_app_id_8ca16811",
            "delivery_notification",
            "app_id",
            migrations.AlterField(
                model_name="notification",
                name="app",
                field=models.ForeignKey(
                    db_index=False,
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="notifications",
                    to="crm.app",
                ),
            ),
        ),
        dropped(
            "delivery_occurrence_notification_id_c591320a",
            "delivery_occurrence",
            "notification_id",
            migrations.AlterField(
                model_name="occurrence",
                name="notification",
                field=models.ForeignKey(
                    db_index=False,
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="occurrences",
                    to="delivery.notification",
                ),
            ),
        ),
        dropped(
            "delivery_open_notification_id_61203be4",
            "delivery_open",
            "notification_id",
            migrations.AlterField(
                model_name="open",
                name="notification",
                field=models.ForeignKey(
                    db_index=False,
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="opens",
                    to="delivery.notification",
                ),
            ),
        ),
    ]
