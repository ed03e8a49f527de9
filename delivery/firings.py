"""A notification's firings: one, or one for each time zone its app's devices live in."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from delivery.models import Firing, Notification, Occurrence
from delivery.schedule import Schedule
from delivery.scheduling import local_time
from delivery.scheduling.recurrence import next_moment
from delivery.targeting.zones import zones_of

UNREAD = ("message", "audience", "filters", "user_meta", "reporting_meta")

GRACE = timedelta(minutes=1)
"""A zone first seen so shortly after its moment still has it."""


def firings_of(notification: Notification, schedule: Schedule, *, now: datetime) -> list[Firing]:
    """Give when a notification asked for at `now` fires.

    A series is given its first moment that is not past. One that is over has none, like a local
    send for which every zone's time is past, and to be ignored.
    """
    if schedule.wall_clock is None:
        return _everywhere(notification, schedule, now=now)
    return _in_zones(zones_of(notification.app_id), notification, schedule, asked_at=now)


def _everywhere(notification: Notification, schedule: Schedule, *, now: datetime) -> list[Firing]:
    moment = _first_moment(schedule, now=now)
    late = schedule.skip_after
    return [] if moment is None else [Firing.of(notification, at=moment, late=late)]


def _first_moment(schedule: Schedule, *, now: datetime) -> datetime | None:
    at = schedule.at or now
    if schedule.every is None or at >= now:
        return at  # a single firing is better late than never
    return next_moment(schedule, after=now)


def unsaved(notification: Notification, firings: Iterable[Firing]) -> list[Occurrence]:
    """Give the rows of a stored notification's firings."""
    return [Occurrence(notification=notification, **firing._asdict()) for firing in firings]


def zones_open_until(schedule: Schedule, *, now: datetime) -> datetime | None:
    """Give until when devices may turn up in a zone that is still to fire; None for a UTC send."""
    if schedule.wall_clock is None:
        return None
    return local_time.last_on_earth(schedule.wall_clock, past=schedule.past, now=now)


def welcome_zones(*, now: datetime) -> int:
    """Give local sends a firing for each zone devices have turned up in since; gives their number.

    What is past there already stays past: nobody was there to be sent to.
    """
    notifications = Notification.objects.filter(zones_open_until__gt=now).defer(*UNREAD)
    return sum(_welcome(notification, now=now) for notification in notifications)


@transaction.atomic
def _welcome(notification: Notification, *, now: datetime) -> int:
    known = notification.occurrences.values_list("zone", flat=True)
    found = _in_zones(
        zones_of(notification.app_id).difference(known),
        notification,
        Schedule.from_json(notification.schedule),
        asked_at=notification.updated_at,
    )
    firings = [firing for firing in found if firing.due_at >= now - GRACE]
    # whoever cancels or edits it holds this lock, and is waited for: what was read may be no more
    asked = Notification.objects.select_for_update(no_key=True).filter(
        pk=notification.pk, updated_at=notification.updated_at, cancelled_at=None
    )
    if not firings or not asked.exists():
        return 0
    # two ticks may welcome the same zone
    Occurrence.objects.bulk_create(unsaved(notification, firings), ignore_conflicts=True)
    return len(firings)


def _in_zones(
    zones: Iterable[str], notification: Notification, schedule: Schedule, *, asked_at: datetime
) -> list[Firing]:
    assert schedule.wall_clock is not None
    late = settings.LOCAL_SKIP_AFTER if schedule.skip_after is None else schedule.skip_after
    moments = {
        zone: local_time.firing(zone, schedule.wall_clock, past=schedule.past, now=asked_at)
        for zone in zones
    }
    return [
        Firing.of(notification, at=at, zone=zone, late=late)
        for zone, at in sorted(moments.items())
        if at is not None
    ]
