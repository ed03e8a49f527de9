"""Events get their numbers: after they were committed, one app at a time.

A number drawn while an event is written would be no place in an order: what commits later may have
drawn earlier, and a reader who had passed it would never see it.
"""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from delivery.models import WebhookStream

AT_ONCE = 5_000
APPS_AT_ONCE = 50

UNNUMBERED = """
SELECT DISTINCT app_id FROM delivery_webhookevent WHERE seq IS NULL LIMIT %s
"""

# A new statement after the lock: it sees what was committed before the lock was had. Idle or not,
# every reader is locked: one that is about to rest has not seen these yet, and must not.
NUMBER = """
WITH fresh AS (
    SELECT id, lane, row_number() OVER (ORDER BY id) AS place
      FROM (SELECT id, lane FROM delivery_webhookevent
             WHERE app_id = %(app)s AND seq IS NULL ORDER BY id LIMIT %(most)s) first
), numbered AS (
    UPDATE delivery_webhookevent e SET seq = %(last)s + fresh.place
      FROM fresh WHERE e.id = fresh.id
), counted AS (
    UPDATE delivery_webhookstream SET last_seq = last_seq + (SELECT count(*) FROM fresh)
     WHERE app_id = %(app)s
), lanes AS MATERIALIZED (
    SELECT r.id FROM delivery_webhookreader r JOIN delivery_webhook w ON w.id = r.webhook_id
     WHERE w.app_id = %(app)s AND w.active AND r.kind = 'lane'
       AND r.lane IN (SELECT lane FROM fresh)
     ORDER BY r.id
       FOR NO KEY UPDATE OF r
), woken AS (
    UPDATE delivery_webhookreader r SET next_attempt_at = coalesce(r.next_attempt_at, %(now)s)
      FROM lanes WHERE r.id = lanes.id
)
SELECT count(*) FROM fresh
"""


def number_events(*, now: datetime) -> int:
    """Give what was committed its place, wake who waits for it, and give how much it was."""
    with connection.cursor() as cursor:
        cursor.execute(UNNUMBERED, [APPS_AT_ONCE])
        apps = [app_id for (app_id,) in cursor.fetchall()]
    return sum(number_events_of(app_id, now=now) for app_id in apps)


@transaction.atomic
def number_events_of(app_id: int, *, now: datetime) -> int:
    """Do it for one app, some thousand events at once."""
    last = lock_stream(app_id)
    with connection.cursor() as cursor:
        facts: dict[str, Any] = {"app": app_id, "last": last, "most": AT_ONCE, "now": now}
        cursor.execute(NUMBER, facts)
        return int(cursor.fetchone()[0])


def lock_stream(app_id: int) -> int:
    """Give the last number of an app; until the transaction ends nobody gives the next."""
    WebhookStream.objects.bulk_create([WebhookStream(app_id=app_id)], ignore_conflicts=True)
    return WebhookStream.objects.select_for_update(no_key=True).get(app_id=app_id).last_seq
