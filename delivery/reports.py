"""What became of a notification, read only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Min, QuerySet, Sum

from crm.errors import NotFound
from crm.models import App
from delivery.models import Notification, Occurrence, Open


def install_opens(app: App, notification_id: int) -> Sequence[tuple[str, datetime]]:
    """Give (install uid, first open), oldest first; raises `NotFound` for an id not of this app."""
    opens = _opens(app, notification_id).values("install__uid").annotate(first=Min("opened_at"))
    return list(opens.order_by("first", "install__uid").values_list("install__uid", "first"))


def user_opens(app: App, notification_id: int) -> Sequence[tuple[str, datetime]]:
    """Give (user uid, first open), oldest first; raises `NotFound` for a foreign or unknown id."""
    opens = _opens(app, notification_id).values("user_uid").annotate(first=Min("opened_at"))
    return list(opens.order_by("first", "user_uid").values_list("user_uid", "first"))


def _opens(app: App, notification_id: int) -> QuerySet[Open]:
    if not Notification.objects.filter(app=app, pk=notification_id).exists():
        raise NotFound("no such notification", field="id")
    return Open.objects.filter(notification_id=notification_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Funnel:
    """How many pushes of a notification ended how; `pending` of them have not ended yet.

    targeted = accepted + rejected + unregistered + expired + cancelled + uncertain + pending.
    """

    targeted: int = 0
    accepted: int = 0
    rejected: int = 0
    unregistered: int = 0
    expired: int = 0
    cancelled: int = 0
    uncertain: int = 0
    pending: int = 0
    replayed: int = 0
    finished: bool = False


COUNTERS = (
    "targeted",
    "accepted",
    "rejected",
    "unregistered",
    "expired",
    "cancelled",
    "uncertain",
    "replayed",
)


def funnel(notification: Notification) -> Funnel:
    """Add up what became of every firing so far."""
    occurrences = Occurrence.objects.filter(notification=notification)
    sums = occurrences.aggregate(**{name: Sum(name, default=0) for name in COUNTERS})
    settled = sum(sums[name] for name in COUNTERS[1:-1])
    over = (
        Occurrence.State.FINISHED,
        Occurrence.State.CANCELLED,
        Occurrence.State.SKIPPED,
    )
    return Funnel(
        **sums,
        pending=sums["targeted"] - settled,
        finished=not occurrences.exclude(state__in=over).exists(),
    )


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
        """SELECT t.transport, d.verdict, count(*) FROM delivery_occurrence o
             JOIN delivery_delivery d ON d.day = o.ledger_day AND d.occurrence_id = o.id
             JOIN crm_devicetoken t ON t.id = d.token_id
            WHERE o.notification_id = %s GROUP BY t.transport, d.verdict""",
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
