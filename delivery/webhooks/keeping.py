"""What was told is kept for a while, for replays, then forgotten; what nobody heard is noted."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction

from delivery.models import WebhookDelivery, WebhookReader

AT_ONCE, IN_ALL = 5_000, 200_000

FORGET = """
WITH oldest AS (
    SELECT id, at FROM delivery_webhookevent ORDER BY id LIMIT %(most)s
), gone AS (
    DELETE FROM delivery_webhookevent e USING oldest
     WHERE e.id = oldest.id AND oldest.at < %(before)s AND e.seq IS NOT NULL
    RETURNING e.app_id, e.lane, e.topic, e.seq, coalesce(cardinality(e.token_ids), 1)
)
SELECT * FROM gone
"""

DELIVERIES = """
DELETE FROM delivery_webhookdelivery WHERE id IN (
    SELECT id FROM delivery_webhookdelivery WHERE created_at < %(before)s ORDER BY id LIMIT %(most)s
)
"""


class Gone(NamedTuple):
    """A row that was dropped, and how many events it held."""

    app_id: int
    lane: int
    topic: str
    seq: int
    size: int


TOO_LATE = "It was kept for as long as events are, and nobody had taken it by then."


def forget_events(*, now: datetime) -> int:
    """Drop what is older than `WEBHOOK_RETENTION` and give how many rows of events.

    A bounded number at a time, for the next upkeep goes on. The ledger's own retention is the
    longest: of what it has dropped nothing could be told.
    """
    before = now - min(settings.WEBHOOK_RETENTION, settings.LEDGER_RETENTION)
    forgotten = 0
    while forgotten < IN_ALL:
        dropped = _forget_some(before)
        forgotten += dropped
        if dropped < AT_ONCE:
            break
    with connection.cursor() as cursor:
        cursor.execute(DELIVERIES, {"before": before, "most": AT_ONCE})
    return forgotten


@transaction.atomic
def _forget_some(before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(FORGET, {"before": before, "most": AT_ONCE})
        gone = [Gone(*row) for row in cursor.fetchall()]
    by_lane = defaultdict(list)
    for row in gone:
        by_lane[row.app_id, row.lane].append(row)
    for (app_id, lane), rows in sorted(by_lane.items()):
        _pass_over(app_id, lane, rows)
    return len(gone)


def _pass_over(app_id: int, lane: int, gone: Sequence[Gone]) -> None:
    """Move those who had not come so far, and note what they missed."""
    last = max(row.seq for row in gone)
    behind = WebhookReader.objects.filter(webhook__app=app_id, lane=lane, seq__lt=last)
    locked = behind.select_related("webhook").order_by("pk")
    for reader in locked.select_for_update(no_key=True, of=("self",)):
        topics = reader.webhook.topics
        missed = sum(row.size for row in gone if row.seq > reader.seq and row.topic in topics)
        if missed and reader.kind != WebhookReader.Kind.REPLAY:
            _note_missed(reader, last, missed)
        reader.seq, reader.part = last, 0
        reader.save(update_fields=["seq", "part"])


def _note_missed(reader: WebhookReader, last: int, missed: int) -> None:
    """Show what was never told: an operator may want to know, even now."""
    WebhookDelivery.objects.create(
        webhook_id=reader.webhook_id,
        message_id="",
        state=WebhookDelivery.State.GIVEN_UP,
        lane=reader.lane,
        subject=reader.subject,
        events=missed,
        after_seq=reader.seq,
        after_part=reader.part,
        until_seq=last,
        until_part=0,
        answer=TOO_LATE,
    )
