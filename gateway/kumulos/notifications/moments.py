"""`schedule` → our Schedule; pure, so that past and future are arguments."""

from datetime import UTC, datetime, timedelta
from typing import Any

from delivery.schedule import NOW, Schedule


def read_schedule(asked: dict[str, Any] | None, *, now: datetime) -> Schedule | None:
    """Give when to send; None where `pastTimes` leaves everybody out (contracts/kumulos §6.17).

    One UTC moment is past for everybody or for nobody. `nextDay` moves it to the first day on which
    the same time of day is still ahead.
    """
    if asked is None:
        return NOW
    at: datetime = asked["sendAt"].replace(tzinfo=UTC)
    if at < now and asked["pastTimes"] == "ignore":
        return None
    return Schedule(at=max(at, _next(at, now)))


def _next(at: datetime, now: datetime) -> datetime:
    today = datetime.combine(now.date(), at.timetz())
    return today if today >= now else today + timedelta(days=1)
