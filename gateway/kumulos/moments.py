"""Moments as Kumulos spells them, `2021-08-31T13:55:58+0000`."""

from datetime import UTC, datetime


def spell(moment: datetime) -> str:
    """Give a moment to the second; a device's clock may stand in the year 1970, or 1."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}+0000"


def spell_any(moment: datetime | None) -> str | None:
    """Give a moment likewise, or none."""
    return None if moment is None else spell(moment)
