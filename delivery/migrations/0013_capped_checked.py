"""The two checks that were added without reading a row are validated, beside whoever writes.

Partition by partition, so that none is kept from being vacuumed or dropped for longer than it takes.
"""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

# children first: their parent is then valid without another look
UNCHECKED = """
SELECT conrelid::regclass::text FROM pg_constraint
 WHERE conname = 'delivery_verdict_is_an_end' AND NOT convalidated
 ORDER BY conrelid = 'delivery_delivery'::regclass
"""


def check_ledger(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(UNCHECKED)
        tables = [table for (table,) in cursor.fetchall()]
    for table in tables:
        # IF EXISTS: upkeep drops a partition whose time is over
        schema_editor.execute(
            f"ALTER TABLE IF EXISTS {table} VALIDATE CONSTRAINT delivery_verdict_is_an_end"
        )


class Migration(migrations.Migration):
    atomic = False  # a lock for each table, and for no longer than its own rows take

    dependencies = [("delivery", "0012_capped")]

    operations = [
        ValidateConstraint("occurrence", "occurrence_conserves_its_pushes"),
        migrations.RunPython(check_ledger, migrations.RunPython.noop),
    ]
