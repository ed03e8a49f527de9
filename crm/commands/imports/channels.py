"""Channels from elsewhere."""

from collections.abc import Sequence

from django.db import transaction

from crm.commands.imports.rows import ChannelRow
from crm.commands.imports.staging import as_json, id_of, merged, rounds, staged
from crm.models import App

SAID = """
uuid text, name text, show_in_portal boolean, meta jsonb, created_at timestamptz,
told_at timestamptz
"""

NEWER = "(old.updated_at < EXCLUDED.updated_at AND EXCLUDED.updated_at < now())"

STORE = f"""
INSERT INTO crm_channel AS old
       (id, app_id, uuid, name, show_in_portal, meta, created_at, updated_at)
SELECT {id_of("crm_channel")}, %(app)s, said.uuid, said.name, said.show_in_portal, said.meta,
       LEAST(said.created_at, told_at, now()), LEAST(told_at, now())
  FROM said LEFT JOIN crm_channel known ON known.app_id = %(app)s AND known.uuid = said.uuid
 ORDER BY said.uuid
ON CONFLICT (app_id, uuid) DO UPDATE SET
    {merged({"name": "''", "meta": "NULL"}, newer=NEWER)},
    show_in_portal = CASE WHEN {NEWER} THEN EXCLUDED.show_in_portal ELSE old.show_in_portal END,
    created_at = LEAST(old.created_at, EXCLUDED.created_at),
    updated_at = CASE WHEN {NEWER} THEN EXCLUDED.updated_at ELSE old.updated_at END
"""  # noqa: S608 - no value


@transaction.atomic
def store_channels(app: App, channels: Sequence[ChannelRow]) -> None:
    """Create or complete channels; their uuids are what devices and backends know them by."""
    for some in rounds(channels, lambda channel: [channel.uuid]):
        rows = [(*c[:3], as_json(c.meta), *c[4:]) for c in some]
        with staged(SAID, rows) as cursor:
            cursor.execute(STORE, {"app": app.pk})
