"""The Retry-After header in both its forms (RFC 9110 §10.2.3)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 24 * 3600.0
"""Past this a wait is taken for a mistake and shortened; expiry ends most retries long before."""


def read_retry_after(value: str | bytes | None, *, now: datetime) -> float | None:
    """Give the seconds a server asked us to wait, or None where it said nothing we can read."""
    if value is None:
        return None
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000" is UTC without a claim of being local time
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST)


def longest(*waits: float | None) -> float | None:
    """Give the longest of several floors, or None where nobody set one."""
    return max((wait for wait in waits if wait is not None), default=None)
