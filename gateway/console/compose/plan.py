"""When a send would fire, for whom, and how long it would take: told before anything is stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import connection
from django.db.models import F

from delivery import pacing
from delivery.models import Breaker, Notification, Occurrence, ProviderCredential
from delivery.reach import Reach, Way
from delivery.schedule import Past, Schedule
from delivery.scheduling import local_time
from delivery.scheduling.recurrence import next_moment
from delivery.targeting.credentials import FITTING

SHOWN_RUNS = 5
MOST_WAYS = 50
TELLING = 1000
"""Pushes of an earlier send whose speed says something of the next one's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """One firing of a plan; without a moment it does not take place."""

    zone: str
    local: datetime | None
    at: datetime | None
    devices: int
    note: str = ""


def legs_of(schedule: Schedule, reached: Reach, *, now: datetime) -> Sequence[Leg]:
    """Give the firings there would be, in the order of their moments; those left out come last."""
    if schedule.wall_clock is None:
        return [
            Leg(zone="UTC", local=at, at=at, devices=reached.devices)
            for at in _runs(schedule, now=now)
        ]
    legs = [_leg(zone, n, schedule, now=now) for zone, n in reached.zones.items()]
    return sorted(legs, key=lambda leg: (leg.at is None, leg.at or now, leg.zone))


def _runs(schedule: Schedule, *, now: datetime) -> Iterable[datetime]:
    at = schedule.at or now
    yield at
    if schedule.every is None:
        return
    for _ in range(SHOWN_RUNS - 1):
        following = next_moment(schedule, after=at)
        if following is None:
            return
        yield (at := following)


def _leg(zone: str, devices: int, schedule: Schedule, *, now: datetime) -> Leg:
    wall = schedule.wall_clock
    assert wall is not None
    at = local_time.firing(zone, wall, past=schedule.past, now=now)
    if at is None:
        return Leg(zone=zone, local=wall, at=None, devices=devices, note="past: left out")
    local = at.astimezone(_tz(zone)).replace(tzinfo=None)
    return Leg(
        zone=zone, local=local, at=at, devices=devices, note=_note(wall, local, schedule.past)
    )


def _note(wall: datetime, local: datetime, past: Past) -> str:
    if local == wall:
        return ""
    if local.date() != wall.date() and past is Past.NEXT_DAY:
        return "past: moved to the next day it is ahead"
    return "clocks are put forward over that time"


def _tz(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """The devices reached in one way, the credential they are sent to with, and what is wrong."""

    way: Way
    devices: int
    batches: int
    credential: ProviderCredential | None
    warning: str = ""


def shares_of(reached: Reach, *, app_id: int) -> Sequence[Share]:
    """Give what is sent with which credential, largest first, with what stands in its way now."""
    ways = sorted(reached.ways.items(), key=lambda one: -one[1])[:MOST_WAYS]
    return [_share(way, devices, app_id=app_id) for way, devices in ways]


def _share(way: Way, devices: int, *, app_id: int) -> Share:
    credential = _credential(way, app_id=app_id)
    return Share(
        way=way,
        devices=devices,
        batches=-(-devices // settings.BATCH_SIZE),
        credential=credential,
        warning=_warning(way, credential),
    )


def _credential(way: Way, *, app_id: int) -> ProviderCredential | None:
    needs = {"app": app_id, **way._asdict()}
    sql = FITTING.format(**{name: f"%({name})s" for name in needs})
    with connection.cursor() as cursor:
        cursor.execute(sql, needs)
        row = cursor.fetchone()
    return None if row is None else ProviderCredential.objects.get(pk=row[0])


def _warning(way: Way, credential: ProviderCredential | None) -> str:
    if credential is None:
        place = " ".join(filter(None, [way.transport, way.environment, way.topic]))
        return f"No credential for {place}: these pushes wait for one, then expire."
    resting = Breaker.objects.filter(
        credential=credential, environment=way.environment, topic=way.topic
    ).exclude(state=Breaker.State.CLOSED)
    breaker = resting.first()
    if breaker is None:
        return ""
    return f"Breaker open since {_minute(breaker.opened_at)}: {breaker.reason}. These pushes wait."


def _minute(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long the pushes of one firing would take, and what tells."""

    takes: timedelta | None
    because: str


def pace_of(shares: Sequence[Share], *, app_id: int) -> Pace:
    """Give how long a send takes: as paced, and no faster than the app's last large one went."""
    paced = _as_paced(shares)
    devices = sum(share.devices for share in shares)
    rate = _last_rate(app_id)
    measured = timedelta(seconds=devices / rate) if rate else None
    if measured is not None and (paced is None or measured > paced):
        return Pace(takes=measured, because=f"your last large send went at {rate:,.0f} a second")
    if paced is not None:
        return Pace(takes=paced, because="by the pace of its credentials")
    return Pace(takes=None, because="nothing large was sent yet, and no pace is set")


def _as_paced(shares: Sequence[Share]) -> timedelta | None:
    """Give how long the slowest of the credentials needs; None where one of them may go faster."""
    pushes: dict[int, int] = {}
    rates: dict[int, int] = {}
    for share in shares:
        if share.credential is not None and (rate := pacing.full_rate(share.credential)):
            rates[share.credential.pk] = rate
            pushes[share.credential.pk] = pushes.get(share.credential.pk, 0) + share.devices
    waits = [timedelta(seconds=pushes[id_] / rate) for id_, rate in rates.items()]
    return max(waits, default=None)


def _last_rate(app_id: int) -> float | None:
    recent = Occurrence.objects.filter(
        notification__app=app_id,
        notification__in=_recent(app_id),
        state=Occurrence.State.FINISHED,
        targeted__gte=TELLING,
        finished_at__gt=F("started_at"),
    )
    last = recent.order_by("-pk").first()
    if last is None or last.started_at is None or last.finished_at is None:
        return None
    took = (last.finished_at - last.started_at - last.held_for).total_seconds()
    return last.targeted / took if took > 0 else None


def _recent(app_id: int) -> list[int]:
    newest = Notification.objects.filter(app=app_id).order_by("-pk")
    return list(newest.values_list("pk", flat=True)[:20])


def words_of(schedule: Schedule) -> str:
    """Say a schedule in words."""
    if schedule.wall_clock is not None:
        past = "left out" if schedule.past is Past.IGNORE else "sent to the next day"
        when = f"{schedule.wall_clock:%Y-%m-%d %H:%M}"
        return f"at {when} where each device is; where that is past, {past}"
    if schedule.every is not None and schedule.at is not None:
        until = f" until {_minute(schedule.until)}" if schedule.until else ""
        return f"every {schedule.every}, first at {_minute(schedule.at)}{until}"
    return "now" if schedule.at is None else f"at {_minute(schedule.at)}"


def pace_words(pace: Pace) -> str:
    """Say how long it takes in words."""
    if pace.takes is None:
        return f"not known: {pace.because}"
    seconds = pace.takes.total_seconds()
    if seconds < 60:
        return f"about {max(round(seconds), 1)} s ({pace.because})"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min ({pace.because})"
    return f"about {seconds / 3600:.1f} h ({pace.because})"
