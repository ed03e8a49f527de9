"""The one clock of all machines: the database's."""

from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

from django.db import connection

TRUSTED_FOR = 1.0
"""Seconds a reading is carried on by this machine's monotonic clock."""

MOST_AHEAD = 0.01
"""Seconds we may be ahead of the database, whatever it took to answer."""

ASK = "SELECT clock_timestamp()"
TRIES = 3
"""Readings taken on a busy machine until one comes back within `MOST_AHEAD`."""


class Reading(NamedTuple):
    """What the database's clock showed, and when."""

    at: datetime
    monotonic: float


_last: Reading | None = None


def now() -> datetime:
    """Give the moment it is by the database's clock, asked once a second at most.

    Leases, waits and due times are compared by many machines. By this clock none of them may take
    another's work for lost, or leave its own lying, because its own clock is wrong or was set.
    """
    global _last  # noqa: PLW0603 - a reading serves all threads
    since, last = monotonic(), _last
    if last is None or since - last.monotonic >= TRUSTED_FOR:
        last = _last = _read()
    return last.at + timedelta(seconds=monotonic() - last.monotonic)


def _read() -> Reading:
    """Ask the database, again where the answer was long on its way: it is as old as that, perhaps.

    Whoever is behind others takes what they have just stored as not due yet.
    """
    with connection.cursor() as cursor:
        asked = monotonic()
        cursor.execute(ASK)
        (at,), came = cursor.fetchone(), monotonic()
        for _ in range(TRIES - 1):
            if came - asked <= MOST_AHEAD:
                break
            asked = monotonic()
            cursor.cursor.execute(ASK)  # not by Django's: how often is of no account to anybody
            (at,), came = cursor.cursor.fetchone(), monotonic()
    # ahead rather than behind: what was just stored with the database's own now() is due
    return Reading(at, max(asked, came - MOST_AHEAD))
