"""Finished firings the totals lack, found without looking at the others."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # an index made beside a running gateway

    dependencies = [("delivery", "0004_tally_and_traces")]

    operations = [
        AddIndexConcurrently(
            model_name="occurrence",
            index=models.Index(
                condition=models.Q(("state", "finished"), ("tallied", False)),
                fields=["id"],
                name="occurrence_untallied",
            ),
        ),
    ]
