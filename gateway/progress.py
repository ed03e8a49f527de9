"""How far the work is: read from the rows themselves, so that no process can claim it for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, F, Min, Q, Sum

from delivery import pacing
from delivery.models import (
    Batch,
    Breaker,
    Delivery,
    Occurrence,
    ProviderCredential,
    Webhook,
    WebhookReader,
)
from delivery.models.notification import Lane

PATIENCE = timedelta(seconds=2)
VERDICTS = Delivery.Verdict.values

SETTLED = sum((F(name) for name in VERDICTS[1:]), start=F(VERDICTS[0]))
NOT_CONSERVED = Q(targeted__lt=SETTLED) | (Q(state__in=Occurrence.OVER) & ~Q(targeted=SETTLED))


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Work of one lane that could be done now."""

    count: int
    oldest: timedelta


def bound_queries() -> None:
    """Let no query of this transaction take longer than our patience."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE // timedelta(milliseconds=1)}")


@transaction.atomic
def stalled_for(now: datetime) -> timedelta:
    """Give how long due work has waited while nobody was at work; zero while somebody is.

    A long queue that moves is no stall: a broadcast may keep it long for minutes.
    """
    bound_queries()
    at_work = Batch.objects.filter(state=Batch.State.SENDING, lease_until__gte=now)
    planning = Occurrence.objects.filter(state=Occurrence.State.PLANNING, lease_until__gte=now)
    if at_work.exists() or planning.exists():
        return timedelta()
    return max(_oldest_batch(now), _oldest_occurrence(now))


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """How long the longest-waiting webhook could have been told, and how many cannot be."""

    oldest: timedelta
    failing: int
    stopped: int


def webhooks(now: datetime) -> Telling:
    """Give how far behind webhooks are that could be told now, and which cannot."""
    waiting = WebhookReader.objects.filter(next_attempt_at__isnull=False)
    oldest = waiting.filter(next_attempt_at__lte=now).aggregate(at=Min("next_attempt_at"))["at"]
    return Telling(
        oldest=timedelta() if oldest is None else now - oldest,
        failing=waiting.filter(attempts__gt=0).values("webhook").distinct().count(),
        stopped=Webhook.objects.filter(active=False).count(),
    )


def _oldest_batch(now: datetime) -> timedelta:
    waiting = Batch.objects.filter(state=Batch.State.WAITING, next_attempt_at__lte=now)
    lost = Batch.objects.filter(state=Batch.State.SENDING, lease_until__lt=now)
    since = [
        waiting.aggregate(at=Min("next_attempt_at"))["at"],
        lost.aggregate(at=Min("lease_until"))["at"],
    ]
    return max((now - at for at in since if at is not None), default=timedelta())


def _oldest_occurrence(now: datetime) -> timedelta:
    # a lost planner's work waits since its lease ended, which is later than when it was due
    due = Occurrence.objects.filter(state=Occurrence.State.DUE, due_at__lte=now)
    lost = Occurrence.objects.filter(state=Occurrence.State.PLANNING, lease_until__lt=now)
    since = [due.aggregate(at=Min("due_at"))["at"], lost.aggregate(at=Min("lease_until"))["at"]]
    return max((now - at for at in since if at is not None), default=timedelta())


def waiting_batches(now: datetime) -> Mapping[str, Waiting]:
    """Give, by lane, how many batches could be sent now and how long the oldest has waited."""
    waiting = Batch.objects.filter(state=Batch.State.WAITING, next_attempt_at__lte=now)
    rows = waiting.values("lane").annotate(n=Count("pk"), at=Min("next_attempt_at"))
    found = {row["lane"]: Waiting(count=row["n"], oldest=now - row["at"]) for row in rows}
    nothing = Waiting(count=0, oldest=timedelta())
    return {lane: found.get(lane, nothing) for lane in Lane.values}


def paces() -> Mapping[ProviderCredential, float]:
    """Give how many pushes a second each paced credential that has sent lately may send now."""
    known = {c.pk: c for c in ProviderCredential.objects.only("app", "provider", "pace")}
    return {known[pk]: rate for pk, rate in pacing.rates(known.values()).items()}


def occurrence_sums() -> Mapping[str, Any]:
    """Give totals over all firings: verdicts, targeted, unfinished ones and broken sums."""
    counted = ("targeted", *VERDICTS, "replayed")
    return Occurrence.objects.aggregate(
        # the checks first: a sum takes the name of its column from those after it
        unfinished=Count("pk", filter=~Q(state__in=Occurrence.OVER)),
        not_conserved=Count("pk", filter=NOT_CONSERVED),
        **{name: Sum(name, default=0) for name in counted},
    )


class OpenBreaker(NamedTuple):
    """Where nothing is sent now."""

    app: int
    provider: str
    environment: str
    topic: str


def open_breakers() -> Sequence[OpenBreaker]:
    """Give every breaker that is not closed."""
    rows = Breaker.objects.exclude(state=Breaker.State.CLOSED).order_by("opened_at")
    columns = ("credential__app", "credential__provider", "environment", "topic")
    return [OpenBreaker(*row) for row in rows.values_list(*columns)]
