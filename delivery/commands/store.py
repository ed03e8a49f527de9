"""A notification and its firings, stored together: what every accepted send costs."""

from collections.abc import Sequence
from typing import Any

from django.db import models

from delivery.models import Notification, Occurrence
from delivery.providers import json_text
from delivery.statement import fetch_row

FIELDS = Notification._meta.concrete_fields  # noqa: SLF001 - Django's own name for what is public
ASKED = [field for field in FIELDS if not field.primary_key]
JSON = frozenset(field.attname for field in ASKED if isinstance(field, models.JSONField))
PLANNED = ("due_at", "zone", "latest_start_at", "expires_at", "ledger_day")

STORE = f"""
WITH notification AS (
    INSERT INTO delivery_notification ({", ".join(field.attname for field in ASKED)})
    VALUES ({", ".join(f"%({field.attname})s" for field in ASKED)})
    RETURNING id
), firing AS (
    INSERT INTO delivery_occurrence (notification_id, state, {", ".join(PLANNED)})
    SELECT notification.id, 'due', {", ".join(f"planned.{name}" for name in PLANNED)}
      FROM notification,
           unnest(%(due_at)s::timestamptz[], %(zone)s::text[], %(latest_start_at)s::timestamptz[],
                  %(expires_at)s::timestamptz[], %(ledger_day)s::date[])
           WITH ORDINALITY AS planned ({", ".join(PLANNED)}, place)
     ORDER BY place
    RETURNING id
)
SELECT notification.id, ARRAY(SELECT id FROM firing ORDER BY id) FROM notification
"""  # noqa: S608 - names of columns


def store(notification: Notification, firings: Sequence[Occurrence]) -> None:
    """Insert both, all or nothing, and give them their ids."""
    values = {field.attname: _value(notification, field.attname) for field in ASKED}
    lists = {name: [getattr(firing, name) for firing in firings] for name in PLANNED}
    row = fetch_row(STORE, {**values, **lists})
    assert row is not None
    notification.pk, ids = row
    _are_stored([notification])
    for firing, id_ in zip(firings, ids, strict=True):
        firing.pk, firing.notification_id = id_, notification.pk
    _are_stored(firings)


def _value(notification: Notification, name: str) -> Any:
    value = getattr(notification, name)
    return json_text.dump(value).decode() if name in JSON else value


def _are_stored(rows: Sequence[models.Model]) -> None:
    for row in rows:
        row._state.adding, row._state.db = False, "default"  # noqa: SLF001 - as `bulk_create` does
