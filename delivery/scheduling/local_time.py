"""One wall-clock time → one moment in each zone, and what to do where it is past; pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from delivery.schedule import Past

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
"""Wall clocks before it are taken for it: past everywhere, and within any calendar."""

WESTERNMOST = timedelta(hours=12)  # behind UTC; the last place on earth where a day ends
SPARE = timedelta(hours=12)  # for gaps of a whole day's half, and zones not yet invented


def moment_in(zone: str, wall_clock: datetime) -> datetime:
    """Give the first moment (UTC) at which clocks in `zone` show `wall_clock`.

    Where they never do, because they are put forward over it, the next minute they show counts.
    """
    tz, wall = _tz(zone), max(wall_clock, EPOCH)
    while (moment := _shown(wall, tz)) is None:
        wall += MINUTE
    return moment


def firing(zone: str, wall_clock: datetime, *, past: Past, now: datetime) -> datetime | None:
    """Give when a send asked for at `now` fires in `zone`; None where it is past and to be ignored.

    `Past.NEXT_DAY` moves it to the first day on which that time of day is still ahead.
    """
    moment = moment_in(zone, wall_clock)
    if moment >= now:
        return moment
    if past is Past.IGNORE:
        return None
    day = now.astimezone(_tz(zone)).replace(tzinfo=None).date()
    while (moment := moment_in(zone, datetime.combine(day, wall_clock.time()))) < now:
        day += DAY
    return moment


def last_on_earth(wall_clock: datetime, *, past: Past, now: datetime) -> datetime:
    """Give a moment after which a send asked for at `now` can fire in no zone any more."""
    latest = max(wall_clock, EPOCH).replace(tzinfo=UTC) + WESTERNMOST + SPARE
    return latest if past is Past.IGNORE else max(latest, now + DAY + SPARE)


def _shown(wall: datetime, tz: ZoneInfo) -> datetime | None:
    # fold 0: of two moments that show the same time, the first
    moment = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    return moment if moment.astimezone(tz).replace(tzinfo=None, fold=0) == wall else None


def _tz(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # names come and go with releases of tzdata
        return ZoneInfo("UTC")
