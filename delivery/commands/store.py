"""A notification and its firings, stored together: what every accepted send costs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from django.db import DEFAULT_DB_ALIAS, models

from delivery.models import Firing, Notification
from delivery.providers import json_text
from delivery.statement import fetch_row

FIELDS = Notification._meta.concrete_fields  # noqa: SLF001 - Django's own name for what is public
ASKED = [field for field in FIELDS if not field.primary_key]
JSON = frozenset(field.attname for field in ASKED if isinstance(field, models.JSONField))
PLANNED = {
    "due_at": "timestamptz",
    "zone": "text",
    "latest_start_at": "timestamptz",
    "expires_at": "timestamptz",
    "ledger_day": "date",
}

STORE = f"""
WITH notification AS (
    INSERT INTO delivery_notification ({", ".join(field.attname for field in ASKED)})
    VALUES ({", ".join(f"%({field.attname})s" for field in ASKED)})
    RETURNING id
), firing AS (
    INSERT INTO delivery_occurrence (notification_id, state, {", ".join(PLANNED)})
    SELECT notification.id, 'due', {", ".join(f"planned.{name}" for name in PLANNED)}
      FROM notification,
           json_to_recordset(%(firings)s) AS planned
               ({", ".join(f"{name} {kind}" for name, kind in PLANNED.items())})
    RETURNING id, zone
)
SELECT notification.id, (SELECT json_object_agg(zone, id) FROM firing) FROM notification
"""  # noqa: S608 - names of columns


def store(notification: Notification, firings: Sequence[Firing]) -> dict[int, datetime]:
    """Insert both, all or nothing; gives when each firing is due, by its id."""
    values = {field.attname: _value(notification, field.attname) for field in ASKED}
    planned = orjson.dumps([firing._asdict() for firing in firings]).decode()
    row = fetch_row(STORE, {**values, "firings": planned})
    assert row is not None
    notification.pk, ids = row
    notification._state.adding = False  # noqa: SLF001 - so does `bulk_create`
    notification._state.db = DEFAULT_DB_ALIAS  # noqa: SLF001
    return {ids[firing.zone]: firing.due_at for firing in firings}


def _value(notification: Notification, name: str) -> Any:
    value = getattr(notification, name)
    return json_text.dump(value).decode() if name in JSON else value
