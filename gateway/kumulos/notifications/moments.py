"""`schedule` → our Schedule; pure, so that past and future are arguments."""

from datetime import UTC, datetime, timedelta
from typing import Any

from delivery.schedule import NOW, Past, Schedule

PAST = {"ignore": Past.IGNORE, "nextDay": Past.NEXT_DAY}


def read_schedule(asked: dict[str, Any] | None, *, now: datetime) -> Schedule | None:
    """Give when to send; None where `pastTimes` leaves everybody out (contracts/kumulos §6.15-17).

    What is past in each zone of a local schedule is judged where zones are known. One UTC moment is
    past for everybody or for nobody; `nextDay` moves it to the first day on which the same time of
    day is still ahead.
    """
    if asked is None:
        return NOW
    late = timedelta(seconds=asked["skipAfter"]) if "skipAfter" in asked else None
    past = PAST[asked["pastTimes"]]
    if asked["strategy"] == "local":
        return Schedule(wall_clock=asked["sendAt"], past=past, skip_after=late)
    at: datetime = asked["sendAt"].replace(tzinfo=UTC)
    if at < now and past is Past.IGNORE:
        return None
    return Schedule(at=max(at, _next(at, now)), skip_after=late)


def schedule_said(asked: dict[str, Any]) -> dict[str, Any]:
    """Give a decoded `schedule` back in the caller's words."""
    return {**asked, "sendAt": asked["sendAt"].isoformat(" ", "minutes")}


def _next(at: datetime, now: datetime) -> datetime:
    today = datetime.combine(now.date(), at.timetz())
    return today if today >= now else today + timedelta(days=1)
