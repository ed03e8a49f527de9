"""Totals that need no adding up, and what asked for a notification; docs/operations.md, Metrics."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("delivery", "0003_webhooks")]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("occurrences", models.BigIntegerField(db_default=0, default=0)),
                ("targeted", models.BigIntegerField(db_default=0, default=0)),
                ("accepted", models.BigIntegerField(db_default=0, default=0)),
                ("rejected", models.BigIntegerField(db_default=0, default=0)),
                ("unregistered", models.BigIntegerField(db_default=0, default=0)),
                ("expired", models.BigIntegerField(db_default=0, default=0)),
                ("cancelled", models.BigIntegerField(db_default=0, default=0)),
                ("uncertain", models.BigIntegerField(db_default=0, default=0)),
                ("replayed", models.BigIntegerField(db_default=0, default=0)),
            ],
            options={"verbose_name_plural": "tallies"},
        ),
        migrations.AddConstraint(
            model_name="tally",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="tally_is_one_row"),
        ),
        migrations.AddField(
            model_name="notification",
            name="request_id",
            field=models.CharField(max_length=64, null=True),
        ),
        migrations.AddField(
            model_name="notification",
            name="trace_parent",
            field=models.CharField(max_length=64, null=True),
        ),
        migrations.AddField(
            model_name="occurrence",
            name="tallied",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
