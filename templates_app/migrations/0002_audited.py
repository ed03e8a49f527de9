"""Each change of a template is written down; docs/adr/0023."""

from django.db import migrations

from crm.audited import audited


class Migration(migrations.Migration):
    dependencies = [("templates_app", "0001_initial"), ("crm", "0005_audit")]

    operations = [
        audited(
            "templates_app_template",
            kind="templates_app.template",
            name="name",
            ignored=["updated_at"],
        )
    ]
