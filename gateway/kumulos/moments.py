"""Moments as Kumulos writes them."""

from datetime import UTC, datetime


def zoned(moment: datetime) -> str:
    """Give a moment to the second, in UTC, as in `2026-05-01T12:30:00+0000`."""
    # a device's clock may stand in the year 1, which strftime does not spell with four digits
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}+0000"
