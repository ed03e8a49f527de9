"""A question others wait behind is given up in time, whatever it would have answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
from django.db import OperationalError, connection, transaction

ROOM = "64MB"
"""What Postgres may keep in memory for such a question; its usual 4 MB send it to disk."""


class TookTooLong(Exception):
    """The database was still at it when its time was over."""


@contextmanager
def within(limit: timedelta) -> Iterator[None]:
    """Run what is within in one transaction, each statement for so long; raises `TookTooLong`."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            milliseconds = max(int(limit.total_seconds() * 1000), 1)
            cursor.execute(f"SET LOCAL statement_timeout = {milliseconds}")
            cursor.execute(f"SET LOCAL work_mem = '{ROOM}'")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise TookTooLong from error
        raise
