"""The ledger's partitions: one a day, made ahead, dropped whole when their time is over."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from delivery.models import Occurrence

log = logging.getLogger(__name__)

AHEAD = timedelta(days=3)
PATIENCE = 2
"""Seconds to wait for the lock under which partitions come and go."""


def keep_partitions(*, today: date) -> None:
    """Have a partition for today and the next days, and nothing past `LEDGER_RETENTION`.

    A row without a partition of its own lands in the default one and is found just the same.
    What a firing still at work has sent is kept: without it everything would be sent again.
    """
    for days in range(AHEAD.days + 1):
        _make_partition(today + timedelta(days=days))
    last = min(today - settings.LEDGER_RETENTION, _first_unfinished() or date.max)
    for day in partitions():
        if day < last:
            _drop_partition(day)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM delivery_delivery_default WHERE day < %s", [last])


FORGET = """
DELETE FROM delivery_batch WHERE id IN (
    SELECT oldest.id
      FROM (SELECT id, occurrence_id FROM delivery_batch ORDER BY id LIMIT %s) oldest
      JOIN delivery_occurrence o ON o.id = oldest.occurrence_id
     WHERE o.ledger_day < %s AND o.state = ANY(%s))
"""
AT_ONCE = 20_000
"""Batches looked at by one upkeep, every ten minutes: those of 120 million pushes an hour."""


def forget_batches(*, today: date) -> int:
    """Drop the oldest batches whose outcomes the ledger has dropped, and give how many."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [AT_ONCE, today - settings.LEDGER_RETENTION, list(Occurrence.OVER)])
        return int(cursor.rowcount)


def _first_unfinished() -> date | None:
    unfinished = [state for state in Occurrence.State.values if state not in Occurrence.OVER]
    days = Occurrence.objects.filter(state__in=unfinished).order_by("ledger_day")
    return days.values_list("ledger_day", flat=True).first()


def _name(day: date) -> str:
    return f"delivery_delivery_{day:%Y%m%d}"


def _make_partition(day: date) -> None:
    with _alone() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [_name(day)])
        if cursor.fetchone()[0] is not None:
            return
        cursor.execute("SELECT 1 FROM delivery_delivery_default WHERE day = %s LIMIT 1", [day])
        if cursor.fetchone() is not None:
            return  # its rows are in the default partition already
        cursor.execute(
            f"CREATE TABLE {_name(day)} PARTITION OF delivery_delivery "
            f"FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
        )


def _drop_partition(day: date) -> None:
    with _alone() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {_name(day)}")


@contextmanager
def _alone() -> Iterator[CursorWrapper]:
    """Change the table in a transaction of its own, or leave it to the next upkeep.

    The change waits for whoever reads the ledger, and meanwhile every writer waits behind it.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
            # two upkeeps at once would both find a partition missing
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('delivery_delivery'))")
            yield cursor
    except OperationalError as error:
        log.warning("the ledger's partitions stay as they are for now: %s", error)


def partitions() -> list[date]:
    """Give the days that have a partition of their own."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD') FROM pg_inherits
                WHERE inhparent = 'delivery_delivery'::regclass
                  AND inhrelid::regclass::text ~ '^delivery_delivery_[0-9]{8}$'"""
        )
        return [day for (day,) in cursor.fetchall()]
