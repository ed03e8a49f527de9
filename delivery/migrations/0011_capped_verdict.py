"""The ledger takes a verdict more; by itself, so that no other table is held meanwhile.

What was written before satisfies the narrower check and so the wider one: nothing is read here.
`0013_capped_checked` has Postgres see for itself.
"""

from django.db import migrations

SWAP = """
ALTER TABLE delivery_delivery
    ADD CONSTRAINT {added} CHECK (verdict IN ({verdicts})) NOT VALID,
    DROP CONSTRAINT {dropped};
"""
BEFORE, AFTER = "delivery_verdict_is_final", "delivery_verdict_is_an_end"
KNOWN = "'accepted', 'rejected', 'unregistered', 'expired', 'cancelled', 'uncertain'"


class Migration(migrations.Migration):
    reviewed = {"RunSQL delivery": "NOT VALID, and a constraint dropped: held for a moment, no row is read"}

    dependencies = [("delivery", "0010_composing")]

    operations = [
        migrations.RunSQL(
            SWAP.format(added=AFTER, dropped=BEFORE, verdicts=f"{KNOWN}, 'capped'"),
            SWAP.format(added=BEFORE, dropped=AFTER, verdicts=KNOWN),
        ),
    ]
