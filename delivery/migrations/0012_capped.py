"""Pushes held back by an app's cap are counted, and what counts against it is stored; docs/adr/0024."""

import django.contrib.postgres.fields
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

COUNTED = ("accepted", "rejected", "unregistered", "expired", "cancelled", "capped", "uncertain")


def settled():
    first, *rest = map(models.F, COUNTED)
    return sum(rest, start=first)


class Migration(migrations.Migration):
    reviewed = {
        "AddConstraintNotValid delivery.occurrence": "reads no row; 0013 validates it beside writers",
        "RunSQL delivery": "of a table made here: nobody uses it yet",
    }

    dependencies = [("delivery", "0011_capped_verdict")]

    operations = [
        migrations.AddField(
            model_name="occurrence",
            name="capped",
            field=models.IntegerField(db_default=0, default=0),
        ),
        AddConstraintNotValid(
            model_name="occurrence",
            constraint=models.CheckConstraint(
                condition=models.Q(targeted__gte=settled()), name="occurrence_conserves_its_pushes"
            ),
        ),
        migrations.RemoveConstraint(model_name="occurrence", name="occurrence_conserves_pushes"),
        migrations.AddField(
            model_name="hourtally",
            name="capped",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="tally",
            name="capped",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="CapTaken",
            fields=[
                ("install_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("occurrence_ids", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ("taken_at", django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), size=None)),
                ("day", models.DateField()),
            ],
            options={
                "verbose_name_plural": "slots taken",
                "indexes": [models.Index(fields=["day"], name="cap_taken_day")],
            },
        ),
        # room for a row's next version beside it: then no index is written
        migrations.RunSQL(
            "ALTER TABLE delivery_captaken SET (fillfactor = 70)", migrations.RunSQL.noop
        ),
    ]
