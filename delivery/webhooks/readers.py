"""Readers are taken by one worker at a time, moved on, and put to rest; never held over a call."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from crm import clock
from delivery.models import Webhook, WebhookEvent, WebhookReader
from delivery.statement import fetch_row
from delivery.webhooks.events import BEGINNING, Position, Stretch, read_events

Kind = WebhookReader.Kind

LEASE = timedelta(seconds=30)
"""Until a vanished worker's reader is taken up by another: twice a call's longest time."""

# one that lies far ahead was leased before the database's clock was set back
TAKE = """
UPDATE delivery_webhookreader SET lease_until = %(until)s, claims = claims + 1
 WHERE id = (SELECT id FROM delivery_webhookreader
              WHERE next_attempt_at <= %(now)s
                AND (lease_until IS NULL OR lease_until < %(now)s OR lease_until > %(absurd)s)
              ORDER BY next_attempt_at, id
              LIMIT 1
                FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id
"""

WAITS = """
SELECT EXISTS (SELECT FROM delivery_webhookevent WHERE seq IS NULL)
    OR EXISTS (SELECT FROM delivery_webhookreader
                WHERE next_attempt_at <= %(now)s
                  AND (lease_until IS NULL OR lease_until < %(now)s))
"""


def work_waits(*, now: datetime) -> bool:
    """Say whether there is anything to number or to tell that nobody is at."""
    row = fetch_row(WAITS, {"now": now})
    return bool(row and row[0])


def take_reader(*, now: datetime) -> WebhookReader | None:
    """Give the reader that has waited longest to one worker until its lease ends, or None."""
    asked = {"now": now, "until": now + LEASE, "absurd": now + 2 * LEASE}
    if (row := fetch_row(TAKE, asked)) is None:
        return None
    return WebhookReader.objects.select_related("webhook", "delivery").filter(pk=row[0]).first()


def ours(reader: WebhookReader) -> QuerySet[WebhookReader]:
    """Give the reader as it is in the database, if it is still this worker's."""
    return WebhookReader.objects.filter(pk=reader.pk, claims=reader.claims)


def keep_reader(reader: WebhookReader) -> bool:
    """Prolong a lease before a call; False where another worker, or an operator, took it away."""
    active = ours(reader).filter(webhook__active=True)
    return bool(active.update(lease_until=clock.now() + LEASE))


def let_go(reader: WebhookReader) -> None:
    """Let others have a turn: it is due, behind all that are."""
    ours(reader).update(lease_until=None, next_attempt_at=clock.now())


def place_of(reader: WebhookReader) -> Position:
    """Give up to where it has told."""
    return Position(reader.seq, reader.part)


def stretch_of(reader: WebhookReader) -> Stretch:
    """Give what it has to tell from where it is; a held install's ends where its lane is."""
    until = None
    if reader.kind == Kind.REPLAY:
        until = Position(reader.until_seq or 0, reader.until_part or 0)
    elif reader.kind == Kind.HOLD:
        until = _lane_of(reader)
    return Stretch(
        app_id=reader.webhook.app_id,
        topics=reader.webhook.topics,
        after=place_of(reader),
        until=until,
        lane=reader.lane,
    )


def _lane_of(reader: WebhookReader) -> Position:
    lanes = WebhookReader.objects.filter(webhook=reader.webhook_id, kind=Kind.LANE)
    place = lanes.filter(lane=reader.lane).values_list("seq", "part").first()
    return Position(*place) if place else BEGINNING


def held_back(reader: WebhookReader) -> set[int]:
    """Give the subjects it passes over: each is told by a reader of its own."""
    if reader.kind == Kind.HOLD:
        return set()
    if reader.kind == Kind.REPLAY and reader.subject is not None:
        return set()
    holds = WebhookReader.objects.filter(webhook=reader.webhook_id, lane=reader.lane)
    held = holds.filter(kind=Kind.HOLD).values_list("subject", flat=True)
    return {subject for subject in held if subject is not None}


@transaction.atomic
def rest(reader: WebhookReader) -> None:
    """Put a reader to rest that found nothing more; it is due again where there is, after all.

    A replay is over then, and an install no longer held back: its lane goes on with it. All under
    the lane's lock, which whoever gives events their numbers, or moves the lane, waits for.
    """
    _lock_lane(reader)
    mine = ours(reader).select_for_update(no_key=True).first()
    if mine is None:
        return
    last = _last_of(reader)  # asked first: what comes later is found below
    reader.seq, reader.part = mine.seq, mine.part
    if read_events(stretch_of(reader), most=1).end is not None:
        mine.lease_until, mine.next_attempt_at = None, clock.now()
        mine.save(update_fields=["lease_until", "next_attempt_at"])
    elif reader.kind == Kind.LANE:
        # past what it does not want to hear, too: it would be looked through every time
        mine.seq, mine.part = max((mine.seq, mine.part), (last, 0))
        mine.lease_until = mine.next_attempt_at = None
        mine.save(update_fields=["seq", "part", "lease_until", "next_attempt_at"])
    else:
        mine.delete()


def _last_of(reader: WebhookReader) -> int:
    """Give the last number in a reader's lane."""
    numbered = WebhookEvent.objects.filter(app=reader.webhook.app_id, lane=reader.lane)
    last = numbered.filter(seq__isnull=False).order_by("-seq").values_list("seq", flat=True)
    return last.first() or 0


@transaction.atomic
def move_on(reader: WebhookReader, to: Position, *, passed: set[int]) -> bool:
    """Move a reader to where it has told; False where it is no longer ours.

    `passed` are subjects it passed over: one that is held back no longer, since then, is again from
    where this reader was, so that nothing of it is left out.
    """
    mine = ours(reader).select_for_update(no_key=True)
    if mine.first() is None:
        return False
    if reader.kind == Kind.LANE and passed:
        _hold_again(reader, passed)
    return bool(mine.update(**_fresh(reader, to)))


def _fresh(reader: WebhookReader, to: Position) -> dict[str, Any]:
    """Give the columns of a reader that succeeded: no failure counts any more."""
    reader.seq, reader.part, reader.attempts, reader.delivery = to.seq, to.part, 0, None
    reader.narrowed_at = reader.narrowed_at if reader.width else None
    names = ("seq", "part", "attempts", "delivery", "width", "narrowed_at")
    return {name: getattr(reader, name) for name in names}


def _hold_again(reader: WebhookReader, passed: set[int]) -> None:
    for subject in passed - held_back(reader):
        WebhookReader.objects.create(
            webhook=reader.webhook,
            kind=Kind.HOLD,
            lane=reader.lane,
            subject=subject,
            seq=reader.seq,
            part=reader.part,
            next_attempt_at=clock.now(),
        )


def _lock_lane(reader: WebhookReader) -> None:
    if reader.kind == Kind.HOLD:
        lanes = WebhookReader.objects.filter(webhook=reader.webhook_id, kind=Kind.LANE)
        lanes.filter(lane=reader.lane).select_for_update(no_key=True).first()


@transaction.atomic
def hold_back(reader: WebhookReader, subject: int, *, to: Position, wait: timedelta) -> bool:
    """Have a subject's events wait by themselves, and a lane go on behind the first of them."""
    mine = ours(reader).select_for_update(no_key=True)
    if mine.first() is None:
        return False
    now = clock.now()
    WebhookReader.objects.create(
        webhook=reader.webhook,
        kind=Kind.HOLD,
        lane=reader.lane,
        subject=subject,
        seq=reader.seq,
        part=reader.part,
        attempts=reader.attempts,
        width=1,
        narrowed_at=reader.narrowed_at or now,
        delivery=reader.delivery,
        next_attempt_at=now + wait,
    )
    moved = {**_fresh(reader, to), "next_attempt_at": now, "lease_until": None}
    return bool(mine.update(**moved))


def put_off(reader: WebhookReader, *, wait: timedelta) -> bool:
    """Have a reader wait, with its failures counted."""
    return bool(
        ours(reader).update(
            attempts=reader.attempts,
            width=reader.width,
            narrowed_at=reader.narrowed_at,
            delivery=reader.delivery,
            next_attempt_at=clock.now() + wait,
            lease_until=None,
        )
    )


@transaction.atomic
def stop(webhook_id: int, *, because: str = "") -> None:
    """Tell a webhook nothing more until it is started again; every reader keeps its place."""
    webhook = Webhook.objects.select_for_update(no_key=True).get(pk=webhook_id)
    webhook.active, webhook.stopped_because = False, because
    webhook.save(update_fields=["active", "stopped_because"])
    _each(webhook_id, next_attempt_at=None, lease_until=None)


@transaction.atomic
def start(webhook_id: int) -> None:
    """Go on telling a webhook, from where it was stopped, and at once."""
    webhook = Webhook.objects.select_for_update(no_key=True).get(pk=webhook_id)
    webhook.active, webhook.stopped_because = True, ""
    webhook.save(update_fields=["active", "stopped_because"])
    _each(webhook_id, next_attempt_at=clock.now(), attempts=0, lease_until=None)


def _each(webhook_id: int, **values: Any) -> None:
    """Change all of a webhook's readers, in key order: others lock some of them, too."""
    readers = WebhookReader.objects.filter(webhook=webhook_id).order_by("pk")
    ids = list(readers.select_for_update(no_key=True).values_list("pk", flat=True))
    # whoever has one now finds it taken away
    WebhookReader.objects.filter(pk__in=ids).update(claims=F("claims") + 1, **values)
