"""Moments as ConnectyCube spells them, always UTC and whole seconds."""

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """Give a moment as objects carry it: `2018-12-06T09:16:26Z`."""
    return f"{_whole(moment)}Z"


def expiry(moment: datetime) -> str:
    """Give a moment as the expiry header carries it: `2021-06-04 12:10:53 UTC`."""
    return f"{_whole(moment).replace('T', ' ')} UTC"


def seconds(moment: datetime) -> int:
    """Give a moment in seconds since the epoch."""
    return int(moment.timestamp())


def _whole(moment: datetime) -> str:
    # strftime does not spell every year with four digits
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
