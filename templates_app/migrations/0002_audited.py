"""Each change of a template is written down; docs/adr/0023."""

from django.db import migrations

from crm.audited import audited


class Migration(migrations.Migration):
    reviewed = {"RunSQL templates_app": "functions and triggers: a table is held for a moment, no row is read"}

    dependencies = [("templates_app", "0001_initial"), ("crm", "0006_audit")]

    operations = [
        audited(
            "templates_app_template",
            kind="templates_app.template",
            name="name",
            ignored=["updated_at"],
        )
    ]
