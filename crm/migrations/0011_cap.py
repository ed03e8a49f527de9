"""How many pushes an install may get in a while; docs/adr/0024."""

import datetime

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    reviewed = {"AddConstraint crm.app": "an app is a tenant: the rows are few, and read in a moment"}

    dependencies = [("crm", "0010_delivered_receipts")]

    operations = [
        migrations.AddField(
            model_name="app",
            name="cap_pushes",
            field=models.PositiveSmallIntegerField(blank=True, help_text="At most so many bulk pushes to one device within the window below; empty: no cap. A whole number from 1 to 100.", null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)], verbose_name="pushes"),
        ),
        migrations.AddField(
            model_name="app",
            name="cap_window",
            field=models.DurationField(db_default=datetime.timedelta(days=1), default=datetime.timedelta(days=1), help_text="[days] hours:minutes:seconds, such as 24:00:00 or 7 00:00:00; from one minute to 30 days, counted back from each push.", validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=60)), django.core.validators.MaxValueValidator(datetime.timedelta(days=30))], verbose_name="within"),
        ),
        migrations.AddConstraint(
            model_name="app",
            constraint=models.CheckConstraint(condition=models.Q(("cap_pushes", None), models.Q(("cap_pushes__gte", 1), ("cap_pushes__lte", 100)), _connector="OR"), name="app_cap_is_bounded"),
        ),
        migrations.AddConstraint(
            model_name="app",
            constraint=models.CheckConstraint(condition=models.Q(("cap_window__gte", datetime.timedelta(seconds=60)), ("cap_window__lte", datetime.timedelta(days=30))), name="app_cap_window_is_bounded"),
        ),
    ]
