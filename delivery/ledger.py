"""The ledger's partitions: one a day, made ahead, dropped whole when their time is over."""

from datetime import date, timedelta

from django.conf import settings
from django.db import connection, transaction

AHEAD = timedelta(days=3)


def keep_partitions(*, today: date) -> None:
    """Have a partition for today and the next days, and none past `LEDGER_RETENTION`.

    A row without a partition of its own lands in the default one and is found just the same.
    """
    for days in range(AHEAD.days + 1):
        _make_partition(today + timedelta(days=days))
    for day in _days():
        if day < today - settings.LEDGER_RETENTION:
            _drop_partition(day)


def _name(day: date) -> str:
    return f"delivery_delivery_{day:%Y%m%d}"


def _make_partition(day: date) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # two upkeeps at once would both find it missing
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('delivery_delivery'))")
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
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {_name(day)}")


def _days() -> list[date]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD') FROM pg_inherits
                WHERE inhparent = 'delivery_delivery'::regclass
                  AND inhrelid::regclass::text ~ '^delivery_delivery_[0-9]{8}$'"""
        )
        return [day for (day,) in cursor.fetchall()]
