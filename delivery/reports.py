"""What became of a notification, read only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import connection
from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from crm.errors import NotFound
from crm.models import App, User
from delivery.models import Delivery, Notification, Occurrence, Open
from delivery.outlook import expected_finishes

UNREAD = ("audience", "user_meta", "reporting_meta")
"""What no report shows: megabytes, where thousands of people are named."""


def pushes(app: App) -> QuerySet[Notification]:
    """Give an app's push notifications, newest first, without those their authors deleted."""
    ours = Notification.objects.filter(app=app, kind=Notification.Kind.PUSH, deleted_at=None)
    return ours.defer(*UNREAD).order_by("-id")


def find_push(app: App, notification_id: int) -> Notification:
    """Give one of them; raises `NotFound` for any other id."""
    notification = pushes(app).filter(pk=notification_id).first()
    if notification is None:
        raise NotFound("no such notification", field="id")
    return notification


def authored(app: App, *, source: Notification.Source, by: User) -> QuerySet[Notification]:
    """Give what one user has asked for through a surface, oldest first."""
    return pushes(app).filter(source=source, author=by).order_by("id")


def find_from(app: App, notification_id: int, *, source: Notification.Source) -> Notification:
    """Give a notification asked for through a surface; raises `NotFound` for any other id."""
    notification = find_push(app, notification_id)
    if notification.source != source:
        raise NotFound("no such notification", field="id")
    return notification


def install_opens(app: App, notification_id: int) -> Sequence[tuple[str, datetime]]:
    """Give (install uid, first open), oldest first; raises `NotFound` for an id not of this app."""
    opens = _opens(app, notification_id).values("install__uid").annotate(first=Min("opened_at"))
    return list(opens.order_by("first", "install__uid").values_list("install__uid", "first"))


def user_opens(app: App, notification_id: int) -> Sequence[tuple[str, datetime]]:
    """Give (user uid, first open), oldest first; raises `NotFound` for a foreign or unknown id."""
    opens = _opens(app, notification_id).values("user_uid").annotate(first=Min("opened_at"))
    return list(opens.order_by("first", "user_uid").values_list("user_uid", "first"))


def _opens(app: App, notification_id: int) -> QuerySet[Open]:
    if not pushes(app).filter(pk=notification_id).exists():
        raise NotFound("no such notification", field="id")
    return Open.objects.filter(notification_id=notification_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Funnel:
    """How many pushes of a notification ended how; `pending` of them have not ended yet.

    targeted = accepted + rejected + unregistered + expired + cancelled + capped + uncertain +
    pending.
    """

    targeted: int = 0
    accepted: int = 0
    rejected: int = 0
    unregistered: int = 0
    expired: int = 0
    cancelled: int = 0
    capped: int = 0
    uncertain: int = 0
    pending: int = 0
    replayed: int = 0
    finished: bool = False


COUNTERS = ("targeted", *Delivery.Verdict.values, "replayed")


BEGUN = (*Occurrence.UNDER_WAY, Occurrence.State.FINISHED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """The firings of a notification that are in one state."""

    state: str
    due_at: datetime  # the first of them
    zoned: bool  # whether each is for one zone only
    held: bool  # whether all of them are held up
    counts: Mapping[str, int]


def funnel(notification: Notification) -> Funnel:
    """Add up what became of every firing so far."""
    return _funnel(_shares([notification.pk])[notification.pk])


def _funnel(shares: Iterable[Share]) -> Funnel:
    shares = list(shares)
    sums = {name: sum(share.counts[name] for share in shares) for name in COUNTERS}
    settled = sum(sums[name] for name in Delivery.Verdict.values)
    return Funnel(
        **sums,
        pending=sums["targeted"] - settled,
        finished=all(share.state in Occurrence.OVER for share in shares),
    )


def _shares(ids: Iterable[int]) -> Mapping[int, Sequence[Share]]:
    found: dict[int, list[Share]] = {id_: [] for id_ in ids}
    firings = Occurrence.objects.filter(notification__in=found).values_list("notification", "state")
    sums = [Sum(name) for name in COUNTERS]
    told = firings.annotate(Min("due_at"), Max("zone"), Count("held_at"), Count("pk"), *sums)
    for id_, state, first, zone, held, all_, *counts in told:
        named = dict(zip(COUNTERS, counts, strict=True))
        share = Share(state=state, due_at=first, zoned=zone != "", held=held == all_, counts=named)
        found[id_].append(share)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Runs:
    """How many firings of a notification have begun, and whether one is ahead or under way."""

    occurred: int = 0
    pending: bool = False


def runs(notifications: Iterable[Notification]) -> Mapping[int, Runs]:
    """Give the runs of each by its id, in one query however many they are.

    `pending` is true from the ask until its one firing has ended, and as long as a series lives;
    what is held up is not.
    """
    found = {notification.pk: Runs() for notification in notifications}
    firings = Occurrence.objects.filter(notification__in=found).values_list("notification")
    counts = firings.annotate(
        begun=Count("pk", filter=Q(state__in=BEGUN)),
        waiting=Count("pk", filter=~Q(state__in=Occurrence.OVER) & Q(held_at=None)),
    )
    for id_, begun, waiting in counts:
        found[id_] = Runs(occurred=begun, pending=waiting > 0)
    return found


class Standing(StrEnum):
    """Where a firing is, or a notification with all its firings."""

    SCHEDULED = "scheduled"  # nothing has fired yet, or a series waits for its next run
    SENDING = "sending"
    PAUSED = "paused"  # all that is under way is held up
    SENT = "sent"  # nothing is left to do; devices may still open it
    CANCELLED = "cancelled"  # before all of it had fired
    SKIPPED = "skipped"  # nothing fired: whoever should have fired it came too late


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Where a notification is, what became of its pushes, and how many installs opened it.

    `opened` is 0 where nobody asked for it.
    """

    notification: Notification
    standing: Standing
    funnel: Funnel
    opened: int
    expected_at: datetime | None  # when what is under way should be done, if anything tells


@dataclass(frozen=True, kw_only=True, slots=True)
class Firing:
    """Where one firing is and what became of its pushes; zone '' is everywhere at once."""

    zone: str
    due_at: datetime
    standing: Standing
    funnel: Funnel
    expected_at: datetime | None


def progress(
    notifications: Iterable[Notification], *, now: datetime, opens: bool = True
) -> Sequence[Progress]:
    """Give the progress of each in their order, in a few queries however many they are.

    To count opens is to look at each: a page that asks every other second goes without.
    """
    asked = {notification.pk: notification for notification in notifications}
    expected = _expected(asked, now=now)
    opened = _opened(asked) if opens else {}
    return [
        Progress(
            notification=asked[id_],
            standing=_standing_of(asked[id_], shares, now=now),
            funnel=_funnel(shares),
            opened=opened.get(id_, 0),
            expected_at=expected.get(id_),
        )
        for id_, shares in _shares(asked).items()
    ]


def standings(
    notifications: Iterable[Notification], *, now: datetime
) -> Mapping[int, tuple[Standing, Funnel]]:
    """Give where each stands and what became of its pushes, by its id, in one query for all."""
    asked = {notification.pk: notification for notification in notifications}
    return {
        id_: (_standing_of(asked[id_], shares, now=now), _funnel(shares))
        for id_, shares in _shares(asked).items()
    }


def _opened(ids: Iterable[int]) -> Mapping[int, int]:
    opens = Open.objects.filter(notification__in=ids).values_list("notification")
    return dict(opens.annotate(Count("install", distinct=True)))


def firings(
    notification: Notification, *, now: datetime, most: int | None = None
) -> Sequence[Firing]:
    """Give every firing of a notification, or the latest `most`, in the order they are due."""
    found = Occurrence.objects.filter(notification=notification).order_by("-due_at", "-zone")
    occurrences = list(found[:most])[::-1]
    expected = expected_finishes(occurrences, now=now)
    return [_firing(o, now=now, expected_at=expected.get(o.pk)) for o in occurrences]


def _expected(ids: Iterable[int], *, now: datetime) -> Mapping[int, datetime | None]:
    """Give when all that is under way of each should be done; None where one of it is unknown."""
    running = list(
        Occurrence.objects.filter(notification__in=list(ids), state__in=Occurrence.UNDER_WAY)
    )
    finishes = expected_finishes(running, now=now)
    ends: dict[int, list[datetime | None]] = {}
    for occurrence in running:
        ends.setdefault(occurrence.notification_id, []).append(finishes[occurrence.pk])
    return {id_: None if None in of else max(filter(None, of)) for id_, of in ends.items()}


def _firing(occurrence: Occurrence, *, now: datetime, expected_at: datetime | None) -> Firing:
    counts = {name: getattr(occurrence, name) for name in COUNTERS}
    zoned = occurrence.zone != ""
    share = Share(
        state=occurrence.state,
        due_at=occurrence.due_at,
        zoned=zoned,
        held=occurrence.held_at is not None,
        counts=counts,
    )
    return Firing(
        zone=occurrence.zone,
        due_at=occurrence.due_at,
        standing=_standing([share], now=now),
        funnel=_funnel([share]),
        expected_at=expected_at,
    )


def _standing_of(notification: Notification, shares: Sequence[Share], *, now: datetime) -> Standing:
    """Sum the states up; a local send nobody is there for yet waits until its zones close."""
    if not shares and notification.cancelled_at is not None:
        return Standing.CANCELLED
    open_until = notification.zones_open_until
    if not shares and open_until is not None and open_until > now:
        return Standing.SCHEDULED
    if notification.cancelled_at is None and not any(share.zoned for share in shares):
        # runs called off in a pause that is over
        shares = [share for share in shares if share.state != Occurrence.State.CANCELLED]
    return _standing(shares, now=now)


def _standing(shares: Sequence[Share], *, now: datetime) -> Standing:
    states = {share.state for share in shares}
    # the zones of a local send are one sending; the runs of a series are one each
    begun = BEGUN if any(share.zoned for share in shares) else Occurrence.UNDER_WAY
    if not states.issubset(Occurrence.OVER):
        # one that waits for nothing has begun, whether or not a worker has come to it
        due = any(share.state == Occurrence.State.DUE and share.due_at <= now for share in shares)
        running = [share for share in shares if share.state in Occurrence.UNDER_WAY]
        if running and not due and all(share.held for share in running):
            return Standing.PAUSED
        return Standing.SENDING if due or states.intersection(begun) else Standing.SCHEDULED
    if Occurrence.State.CANCELLED in states or any(share.counts["cancelled"] for share in shares):
        return Standing.CANCELLED
    return Standing.SKIPPED if states == {Occurrence.State.SKIPPED} else Standing.SENT


@dataclass(frozen=True, kw_only=True, slots=True)
class TransportReport:
    """What became of one transport's share of a notification."""

    targeted: int = 0
    outcomes: Mapping[str, int]  # by verdict, from the ledger itself
    opened: int = 0


def by_transport(notification: Notification) -> Mapping[str, TransportReport]:
    """Give each transport's share, counted from batches, ledger and opens, not from counters."""
    targeted = _counts(
        """SELECT b.transport, '', sum(cardinality(b.token_ids)) FROM delivery_batch b
             JOIN delivery_occurrence o ON o.id = b.occurrence_id
            WHERE o.notification_id = %s GROUP BY b.transport""",
        notification,
    )
    outcomes = _counts(
        # by the batches: a token is deleted long before the ledger forgets it
        """SELECT b.transport, d.verdict, count(*) FROM delivery_occurrence o
             JOIN delivery_batch b ON b.occurrence_id = o.id
            CROSS JOIN unnest(b.token_ids) AS planned (token_id)
             JOIN delivery_delivery d ON d.day = o.ledger_day AND d.occurrence_id = o.id
              AND d.token_id = planned.token_id
            WHERE o.notification_id = %s GROUP BY b.transport, d.verdict""",
        notification,
    )
    opened = _counts(
        """SELECT t.transport, '', count(DISTINCT n.install_id) FROM delivery_open n
             JOIN crm_devicetoken t ON t.install_id = n.install_id AND t.state = 'alive'
            WHERE n.notification_id = %s GROUP BY t.transport""",
        notification,
    )
    return {
        transport: TransportReport(
            targeted=counts[""],
            outcomes=outcomes.get(transport, {}),
            opened=opened.get(transport, {}).get("", 0),
        )
        for transport, counts in targeted.items()
    }


def _counts(sql: str, notification: Notification) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, [notification.pk])
        for transport, kind, count in cursor.fetchall():
            found.setdefault(transport, {})[kind] = int(count)
    return found
