"""Moments held as text in attributes: ISO 8601, read alike by Python and by SQL."""

import calendar
from collections.abc import Iterable
from datetime import date, datetime

SHAPE = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    "([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"
    "(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])?)?"
)
"""All but which days a month has; to spell that out as well costs ten microseconds a row."""

A_LEAP_YEAR = 2024
LAST = date.max.toordinal()


def _array(texts: Iterable[str]) -> str:
    return f"'{{{','.join(texts)}}}'::text[]"


DAYS = _array(
    f"{month:02}-{day:02}"
    for month in range(1, 13)
    for day in range(1, calendar.monthrange(A_LEAP_YEAR, month)[1] + 1)
)
FOURS = _array(f"{number:02}" for number in range(0, 100, 4))
"""The years of a century that are leap years, and the centuries whose first year is one."""

READABLE = f"""t ~ '^{SHAPE}$' AND t COLLATE "C" >= '0001' AND substr(t, 6, 5) = ANY({DAYS})
 AND (substr(t, 6, 5) <> '02-29' OR CASE substr(t, 3, 2)
      WHEN '00' THEN substr(t, 1, 2) ELSE substr(t, 3, 2) END = ANY({FOURS}))"""
"""The condition that a text `t` is a day or a moment, so that a cast of it cannot fail."""


def texts_from(moment: datetime) -> str:
    """Give what every text of this moment or a later one is at least, in whatever zone."""
    return date.fromordinal(max(moment.toordinal() - 2, 1)).isoformat()


def texts_until(moment: datetime) -> str:
    """Give what every text of this moment or an earlier one is at most, in whatever zone."""
    return date.fromordinal(min(moment.toordinal() + 2, LAST)).isoformat() + "~"
