"""What is stored of one notification and some installs, read in a few bounded queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

from django.db import connection

from crm.hurry import TookTooLong, within
from crm.models import App, DeviceToken, Event, Install
from delivery.capping import slots_of
from delivery.models import Delivery, Notification, Occurrence, Open
from delivery.providers.contract import known_as

MOST_FIRINGS = 50
"""How many firings of one notification are looked at, the latest; a local send has one a zone."""

PATIENCE = timedelta(seconds=2)
"""What looking through a whole firing may take, for a device whose tokens are gone."""

OUTCOMES = """
SELECT d.occurrence_id, d.token_id, d.install_id, d.verdict, d.reason, d.provider_ref, d.at
  FROM delivery_occurrence o
  JOIN delivery_delivery d ON d.day = o.ledger_day AND d.occurrence_id = o.id AND {which}
 WHERE o.id = ANY(%s)
"""

PLANNED = """
SELECT b.occurrence_id, b.id, b.state, b.lane, b.last_reason, b.next_attempt_at, b.attempts,
       ARRAY(SELECT unnest(b.token_ids) INTERSECT SELECT unnest(%s::int[]))
  FROM delivery_batch b
 WHERE b.occurrence_id = ANY(%s) AND b.token_ids && %s::int[]
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A line of the ledger."""

    occurrence_id: int
    token_id: int
    install_id: int | None
    verdict: str
    reason: str
    provider_ref: str
    at: datetime

    def push_id(self, transport: str) -> str:
        """Give the name the provider knows this push by."""
        return known_as(
            self.provider_ref,
            verdict=self.verdict,
            transport=transport,
            occurrence_id=self.occurrence_id,
            token_id=self.token_id,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A batch that holds some of the tokens asked about."""

    occurrence_id: int
    batch_id: int
    state: str
    lane: str
    last_reason: str
    next_attempt_at: datetime
    attempts: int
    token_ids: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A slot of a cap: the firing that took it, of which notification, and when."""

    notification_id: int
    occurrence_id: int
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """All of it; `receipts` are moments by install and kind: delivered, opened or dismissed.

    `slots` are by install, and looked up only where a cap held something back.
    """

    firings: Sequence[Occurrence]
    tokens: Mapping[int, Sequence[DeviceToken]]
    outcomes: Sequence[Recorded]
    planned: Sequence[Planned]
    receipts: Mapping[int, Mapping[str, datetime]]
    slots: Mapping[int, Sequence[Taken]] = field(default_factory=dict)


def gather(notification: Notification, installs: Sequence[Install]) -> Evidence:
    """Read what is stored of a notification and these installs."""
    latest = notification.occurrences.order_by("-due_at", "zone")[:MOST_FIRINGS]
    firings = sorted(latest, key=lambda firing: (firing.due_at, firing.zone))
    tokens = _tokens(installs)
    ids = [token.pk for of_install in tokens.values() for token in of_install]
    outcomes = _outcomes(firings, installs, ids)
    capped = any(line.verdict == Delivery.Verdict.CAPPED for line in outcomes)
    return Evidence(
        firings=firings,
        tokens=tokens,
        outcomes=outcomes,
        planned=_planned(firings, ids),
        receipts=_receipts(notification, installs),
        slots=_slots(notification.app, installs) if capped else {},
    )


def _tokens(installs: Sequence[Install]) -> Mapping[int, Sequence[DeviceToken]]:
    found: dict[int, list[DeviceToken]] = {install.pk: [] for install in installs}
    for token in DeviceToken.objects.filter(install__in=found).defer("value").order_by("pk"):
        found[token.install_id].append(token)
    return found


def _outcomes(
    firings: Sequence[Occurrence], installs: Sequence[Install], token_ids: Sequence[int]
) -> Sequence[Recorded]:
    """Give the ledger's lines, by the tokens there are and else by the installs.

    A line names the install its token was of; by installs there is no index, so that a firing to a
    million is read whole: that is tried only where no line was found, and not for long.
    """
    ids = [firing.pk for firing in firings]
    own = {install.pk for install in installs}
    found = _lines("d.token_id = ANY(%s)", token_ids, ids)
    found = [line for line in found if line.install_id in own or line.install_id is None]
    seen = {line.occurrence_id for line in found}
    unseen = [firing.pk for firing in firings if firing.settled and firing.pk not in seen]
    if not unseen:
        return found
    try:
        with within(PATIENCE):
            return [*found, *_lines("d.install_id = ANY(%s)", sorted(own), unseen)]
    except TookTooLong:
        return found


def _lines(which: str, ids: Sequence[int], firings: Sequence[int]) -> list[Recorded]:
    with connection.cursor() as cursor:
        cursor.execute(OUTCOMES.format(which=which), [list(ids), list(firings)])
        names = [field.name for field in fields(Recorded)]
        return [Recorded(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _planned(firings: Sequence[Occurrence], token_ids: Sequence[int]) -> Sequence[Planned]:
    ids = list(token_ids)
    with connection.cursor() as cursor:
        cursor.execute(PLANNED, [ids, [firing.pk for firing in firings], ids])
        names = [field.name for field in fields(Planned)]
        return [Planned(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _slots(app: App, installs: Sequence[Install]) -> Mapping[int, Sequence[Taken]]:
    """Give what counts against the cap of each; a firing that was deleted is left out."""
    found = slots_of(install.pk for install in installs)
    firings = Occurrence.objects.filter(
        notification__app=app, pk__in=[slot.occurrence_id for of in found.values() for slot in of]
    )
    asked_by = dict(firings.values_list("pk", "notification"))
    return {
        install_id: [
            Taken(notification_id=asked_by[id_], occurrence_id=id_, at=at)
            for id_, at in of
            if id_ in asked_by
        ]
        for install_id, of in found.items()
    }


def _receipts(
    notification: Notification, installs: Sequence[Install]
) -> Mapping[int, Mapping[str, datetime]]:
    """Give what devices told of this push: the first of each kind."""
    found: dict[int, dict[str, datetime]] = {install.pk: {} for install in installs}
    opens = Open.objects.filter(notification=notification, install__in=installs)
    for install_id, at in opens.order_by("-opened_at").values_list("install", "opened_at"):
        found[install_id]["opened"] = at
    by_uid = {install.uid: install.pk for install in installs}
    for uid, kind, at in _told(notification.app, by_uid, notification.pk):
        found[by_uid[uid]].setdefault(kind, at)
    return found


def _told(
    app: App, uids: Iterable[str], notification_id: int
) -> Iterable[tuple[str, str, datetime]]:
    kinds = {f"k.message.{kind}": kind for kind in ("delivered", "opened", "dismissed")}
    events = Event.objects.filter(
        app=app, install_uid__in=list(uids), type__in=kinds, data__id=notification_id
    )
    told = events.order_by("id").values_list("install_uid", "type", "happened_at")
    return ((uid, kinds[type_], at) for uid, type_, at in told)
