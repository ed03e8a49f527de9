"""A series goes from run to run: at any moment the next one is stored, and only that one.

Whoever takes a run up holds its notification's lock until the next one is stored with it, and so
does whoever changes the series: neither meets the other half-way.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Max

from delivery.models import Notification, Occurrence
from delivery.schedule import Schedule
from delivery.scheduling.recurrence import latest_moment, next_moment


def is_run(occurrence_id: int) -> bool:
    """Say whether a firing is one of a series."""
    firing = Occurrence.objects.filter(pk=occurrence_id)
    return firing.filter(notification__schedule__has_key="every").exists()


def lock_run(occurrence_id: int, *, now: datetime) -> Occurrence | None:
    """Give a run of a series, its notification locked; None where it is no longer due."""
    mine = Occurrence.objects.filter(pk=occurrence_id).values("notification")
    # no key: batches and inboxes that refer to it are stored meanwhile
    series = Notification.objects.select_for_update(no_key=True).filter(pk__in=mine)
    notification = series.only("schedule", "time_to_live", "cancelled_at").first()
    if notification is None:
        return None
    run = Occurrence.objects.select_for_update().filter(
        pk=occurrence_id, state=Occurrence.State.DUE, due_at__lte=now
    )
    if (found := run.first()) is not None:
        found.notification = notification
    return found


def catch_up(run: Occurrence, *, now: datetime) -> None:
    """Date a run at the latest moment missed: it stands for all that were, and lives from there."""
    schedule = Schedule.from_json(run.notification.schedule)
    missed = latest_moment(schedule, by=now)
    if missed is not None and missed > run.due_at:
        run.date(missed, late=schedule.skip_after)
        run.save(update_fields=["due_at", "latest_start_at", "expires_at", "ledger_day"])


def store_next(run: Occurrence, *, now: datetime) -> None:
    """Store the run after one that was just taken up or skipped, where its series goes on."""
    series = run.notification
    if series.cancelled_at is not None:
        return
    schedule = Schedule.from_json(series.schedule)
    if (moment := next_moment(schedule, after=now)) is not None:
        Occurrence.of(series, at=moment, late=schedule.skip_after).save()


def move_run(
    notification: Notification, unfinished: Sequence[Occurrence], *, now: datetime
) -> Occurrence | None:
    """Put the one run ahead where the schedule has it now; None where it has no moment left.

    What is over altogether is sent again at once. Both the notification and its unfinished runs
    are locked by the caller.
    """
    schedule = Schedule.from_json(notification.schedule)
    ahead = [run.pk for run in unfinished if run.state == Occurrence.State.DUE]
    moment = next_moment(schedule, after=_behind(notification, now=now))
    # a single firing moved into the past is better late than never
    if moment is None and (schedule.every is None if ahead else not unfinished):
        moment = now
    if moment is None:
        return None
    notification.occurrences.filter(pk__in=ahead).delete()
    # a run called off before it came up is taken up again
    called_off = notification.occurrences.filter(state=Occurrence.State.CANCELLED)
    called_off.filter(due_at__gte=moment).delete()
    run = Occurrence.of(notification, at=moment, late=schedule.skip_after)
    run.save()
    return run


def _behind(notification: Notification, *, now: datetime) -> datetime:
    # nothing fires twice, whatever our clock says of a run another machine's clock has begun
    ahead = [Occurrence.State.DUE, Occurrence.State.CANCELLED]
    begun = notification.occurrences.exclude(state__in=ahead).aggregate(at=Max("due_at"))
    return max(now, begun["at"] or now)
