"""Change one's mind about a notification.

One that has not begun to fire can be replaced whole or cancelled. One that has, a series above all,
can be revised: paused, taken up again, sent again, given other words or other moments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from crm import clock
from crm.errors import Conflict, Invalid, NotFound
from crm.models import App
from delivery.commands.send import SendNotification, asked, refuse_unfit, ring_once_safe
from delivery.commands.stop import call_off_rest, hold, let_go
from delivery.firings import firings_of, unsaved
from delivery.message import Message, RawMessage
from delivery.models import Notification, Occurrence
from delivery.schedule import Schedule
from delivery.scheduling import series

State = Occurrence.State


@transaction.atomic
def cancel_notification(
    *, app: App, notification_id: int, kind: Notification.Kind = Notification.Kind.PUSH
) -> None:
    """Keep what has not fired from firing, and what is under way from reaching the rest.

    Pushes a worker has in hand still go out: each batch ends as sent or as cancelled. Raises
    `NotFound` for an id not of this app, `Conflict` where nothing is left to cancel.
    """
    notification, now = _locked(app, notification_id, kind=kind), clock.now()
    called_off = _call_off(notification, now=now)
    if not (call_off_rest(notification, now=now) or called_off):
        raise Conflict("The notification has already been sent or cancelled.")


@transaction.atomic
def pause_sending(*, app: App, notification_id: int) -> None:
    """Hold up what is under way; raises `NotFound`, and `Conflict` where nothing is."""
    if not hold(_locked(app, notification_id), now=clock.now()):
        raise Conflict("Nothing of the notification is under way.")


@transaction.atomic
def resume_sending(*, app: App, notification_id: int) -> None:
    """Let what was held up go on; raises `NotFound`, and `Conflict` where nothing was."""
    if not let_go(_locked(app, notification_id), now=clock.now()):
        raise Conflict("Nothing of the notification is paused.")


@transaction.atomic
def edit_notification(ask: SendNotification, *, notification_id: int) -> Notification:
    """Put another ask in the place of one that has not begun to fire; the id stays.

    Raises `NotFound` for an id not of this app, `Invalid` where the message fits no provider,
    `Conflict` where a firing has begun or it was cancelled.
    """
    refuse_unfit(ask.message)
    now = clock.now()
    columns = asked(ask, now=now)
    notification = _locked(ask.app, notification_id, kind=columns["kind"])
    # a planner that would take one just now waits for this transaction, and finds nothing due
    firings = list(notification.occurrences.select_for_update())
    begun = any(f.state != State.DUE for f in firings)
    if begun or not (firings or _may_still_fire(notification, now=now)):
        raise Conflict("The notification has already been sent or cancelled.")
    notification.occurrences.all().delete()
    for name, value in columns.items():
        setattr(notification, name, value)
    notification.save(update_fields=list(columns))
    planned = unsaved(notification, firings_of(notification, ask.schedule, now=now))
    stored = Occurrence.objects.bulk_create(planned)
    ring_once_safe(notification, {firing.pk: firing.due_at for firing in stored})
    return notification


@dataclass(frozen=True, kw_only=True)
class Revision:
    """What is to change of a notification; None leaves a thing as it is.

    `active` pauses, or takes up again; what is over is sent again at once. `filters` and `name`
    are the caller's own words.
    """

    app: App
    notification_id: int
    source: Notification.Source
    active: bool | None = None
    message: Message | RawMessage | None = None
    schedule: Schedule | None = None
    name: str | None = None
    filters: dict[str, Any] | None = None


@transaction.atomic
def revise_notification(revision: Revision) -> Notification:
    """Change what is given, for the runs from now on; a run under way says what it began with.

    One that is paused while it is under way is held up, and goes on where it was.
    Another schedule puts the run ahead at its own next moment, where there is a run ahead or
    `active` asks for one; otherwise it is only stored, also for a send without a moment that has
    fired. Raises `NotFound` for an id not of this app and source, or deleted; `Invalid` where the
    message fits no provider or a local time is involved.
    """
    if revision.message is not None:
        refuse_unfit(revision.message)
    notification = _locked(revision.app, revision.notification_id, source=revision.source)
    _refuse_local(notification, revision)
    now = clock.now()  # later than whatever the lock waited for
    # a planner that would take one just now waits for this transaction, and finds another
    unfinished = notification.occurrences.filter(state__in=[State.DUE, *Occurrence.UNDER_WAY])
    runs = list(unfinished.select_for_update().order_by("pk"))
    moves = _moves(notification, revision, runs)
    if revision.message is not None:
        _keep_words(notification, runs)
    _write(notification, revision, now=now)
    if revision.active is False:
        _call_off(notification, now=now)
        hold(notification, now=now)
        return notification
    if revision.active:
        let_go(notification, now=now)
    if moves:
        _move(notification, runs, now=now)
    return notification


@transaction.atomic
def withdraw_notification(*, app: App, notification_id: int, source: Notification.Source) -> None:
    """Delete a notification for its author: it fires no more, and the ledger keeps it.

    What is left of a run under way is called off. Raises `NotFound` for an id not of this app and
    source, or deleted.
    """
    notification = _locked(app, notification_id, source=source)
    now = clock.now()
    _call_off(notification, now=now)
    call_off_rest(notification, now=now)
    notification.cancelled_at = notification.cancelled_at or now
    notification.deleted_at = notification.updated_at = now
    notification.save(update_fields=["cancelled_at", "deleted_at", "updated_at"])


def _refuse_local(notification: Notification, revision: Revision) -> None:
    # its zones fire one by one: there is no one run ahead to move
    old, new = Schedule.from_json(notification.schedule), revision.schedule
    moved = new is not None or bool(revision.active)
    if (moved and old.wall_clock is not None) or (new and new.wall_clock is not None):
        raise Invalid("cannot be revised where it is in local time", field="schedule")


def _moves(notification: Notification, revision: Revision, runs: Sequence[Occurrence]) -> bool:
    """Say whether the run ahead is to be another one, or one where there is none."""
    ahead = any(run.state == State.DUE for run in runs)
    if revision.schedule is None:
        return bool(revision.active) and not ahead
    # paused is paused, even while the run before the pause is under way
    lives = bool(runs) and notification.cancelled_at is None
    has_moments = Schedule.from_json(notification.schedule).at is not None
    return bool(revision.active) or (lives and (ahead or has_moments))


def _keep_words(notification: Notification, runs: Sequence[Occurrence]) -> None:
    # a push asked again says what it said before, under the same push id
    begun = [run.pk for run in runs if run.state in Occurrence.UNDER_WAY]
    still = notification.occurrences.filter(pk__in=begun, message__isnull=True)
    still.update(message=notification.message)


def _write(notification: Notification, revision: Revision, *, now: datetime) -> None:
    given: dict[str, Any] = {
        "message": revision.message and revision.message.as_json(),
        "schedule": revision.schedule and revision.schedule.as_json(),
        "name": revision.name,
        "filters": revision.filters,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    for name, value in (changed | {"updated_at": now}).items():
        setattr(notification, name, value)
    notification.save(update_fields=[*changed, "updated_at"])


def _move(notification: Notification, runs: Sequence[Occurrence], *, now: datetime) -> None:
    run = series.move_run(notification, runs, now=now)
    if run is None:
        _call_off(notification, now=now)
        return
    notification.cancelled_at = None
    notification.save(update_fields=["cancelled_at"])
    ring_once_safe(notification, {run.pk: run.due_at})


def _call_off(notification: Notification, *, now: datetime) -> bool:
    """Keep what is ahead from firing; False where nothing is."""
    due = notification.occurrences.filter(state=State.DUE)
    kept_back = due.update(state=State.CANCELLED, finished_at=now)
    if not (kept_back or _may_still_fire(notification, now=now)):
        return False
    notification.cancelled_at = notification.updated_at = now
    notification.zones_open_until = None
    notification.save(update_fields=["cancelled_at", "updated_at", "zones_open_until"])
    return True


def _locked(app: App, notification_id: int, **which: str) -> Notification:
    # no key: inboxes of a run under way refer to it, and are waited for below
    found = Notification.objects.select_for_update(no_key=True).filter(
        **{"kind": Notification.Kind.PUSH, **which},
        app=app,
        pk=notification_id,
        deleted_at=None,
    )
    if (notification := found.first()) is None:
        raise NotFound("No such notification.")
    return notification


def _may_still_fire(notification: Notification, *, now: datetime) -> bool:
    # a local send without a zone to fire in yet, because nobody is there
    return notification.zones_open_until is not None and notification.zones_open_until > now
