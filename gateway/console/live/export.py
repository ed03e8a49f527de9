"""A send's ledger as a table, a page at a time: a million rows take no more memory than ten."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from delivery.models import Notification
from delivery.providers.contract import known_as
from gateway.console.spreadsheet import csv_line

COLUMNS = (
    "notification",
    "firing",
    "due_at",
    "zone",
    "device_token",
    "install",
    "user",
    "platform",
    "verdict",
    "reason",
    "provider_id",
    "answered_at",
    "opened_at",
)

PAGE = 2000

# key by key along the ledger's own primary key; each page is a statement of its own
ROWS = """
WITH page AS (
    SELECT token_id, install_id, verdict, reason, provider_ref, at FROM delivery_delivery
     WHERE day = %s AND occurrence_id = %s AND token_id > %s
     ORDER BY token_id LIMIT %s
)
SELECT page.token_id, coalesce(i.uid, ''), coalesce(u.uid, ''), coalesce(t.transport, ''),
       page.verdict, page.reason, page.provider_ref, page.at,
       (SELECT min(o.opened_at) FROM delivery_open o
         WHERE o.notification_id = %s AND o.install_id = page.install_id)
  FROM page
  LEFT JOIN crm_install i ON i.id = page.install_id
  LEFT JOIN crm_user u ON u.id = i.user_id
  LEFT JOIN crm_devicetoken t ON t.id = page.token_id
 ORDER BY page.token_id
"""

FIRINGS = """
SELECT id, due_at, zone, ledger_day FROM delivery_occurrence
 WHERE notification_id = %s AND id > %s ORDER BY id LIMIT %s
"""


def lines_of(notification: Notification) -> Iterator[str]:
    """Give the lines of the table, its heading first: a row for each push that was answered for."""
    yield csv_line(COLUMNS)
    for firing, due_at, zone, day in _firings(notification):
        for rows in _pages(notification, firing, day):
            about = (notification.pk, firing, _moment(due_at), zone)
            yield "".join(csv_line([*about, *_cells(row, firing)]) for row in rows)


def _firings(notification: Notification) -> Iterator[Any]:
    last = 0
    while rows := _ask(FIRINGS, [notification.pk, last, PAGE]):
        yield from rows
        last = rows[-1][0]


def _pages(notification: Notification, firing: int, day: Any) -> Iterator[Sequence[Any]]:
    last = 0
    while rows := _ask(ROWS, [day, firing, last, PAGE, notification.pk]):
        yield rows
        last = rows[-1][0]


def _ask(sql: str, params: list[Any]) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: Sequence[Any] = cursor.fetchall()
    return found


def _cells(row: Sequence[Any], firing: int) -> Sequence[Any]:
    token, install, user, transport, verdict, reason, reference, answered_at, opened_at = row
    name = known_as(
        reference, verdict=verdict, transport=transport, occurrence_id=firing, token_id=token
    )
    moments = [_moment(at) if at else None for at in (answered_at, opened_at)]
    return [token, install, user, transport, verdict, reason, name, *moments]


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
