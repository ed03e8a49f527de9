"""The ledger: partitioned by day, append-only, one row per (occurrence, token); docs/adr/0003."""

from django.db import migrations

CREATE = """
CREATE TABLE delivery_delivery (
    day date NOT NULL,
    occurrence_id bigint NOT NULL,
    token_id integer NOT NULL,
    install_id bigint,
    verdict varchar(16) NOT NULL CONSTRAINT delivery_verdict_is_final CHECK (verdict IN
        ('accepted', 'rejected', 'unregistered', 'expired', 'cancelled', 'uncertain')),
    reason text NOT NULL DEFAULT '',
    provider_ref text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    PRIMARY KEY (day, occurrence_id, token_id)
) PARTITION BY RANGE (day);

-- catches what has no partition of its own, so that an outcome is never refused
CREATE TABLE delivery_delivery_default PARTITION OF delivery_delivery DEFAULT;
"""


class Migration(migrations.Migration):
    dependencies = [("delivery", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, "DROP TABLE delivery_delivery")]
