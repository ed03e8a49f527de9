"""How some apps fare as a whole: sends, opens, tokens, providers and late work, at a fixed price.

Everything here is read from sums kept by the hour, or from the unfinished rows alone: it costs the
same however many pushes the ledger holds.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby

from django.db.models import Count, Max, Min, Q, Sum

from crm.models import TokenCount
from delivery import pacing
from delivery.health import Spell, quantile, spells
from delivery.models import Batch, Breaker, Delivery, HourTally, Occurrence, ProviderCredential
from delivery.models.notification import Lane
from delivery.outlook import expected_finishes

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BY_DAY_FROM = 3 * DAY
"""A longer time is shown day by day."""

MOST_LIVE = 1_000
MOST_RUNNING = 10

SUMMED = ("targeted", *Delivery.Verdict.values)


@dataclass(kw_only=True, slots=True)
class Share:
    """What became of the pushes of one hour or day, and how many opens there were in it."""

    began_at: datetime
    targeted: int = 0
    accepted: int = 0
    rejected: int = 0
    unregistered: int = 0
    expired: int = 0
    cancelled: int = 0
    capped: int = 0
    uncertain: int = 0
    opened: int = 0

    @property
    def pending(self) -> int:
        """Pushes still to be answered for."""
        settled: int = sum(getattr(self, name) for name in SUMMED[1:])
        return self.targeted - settled


def sends(app_ids: Collection[int], *, now: datetime, back: timedelta) -> Sequence[Share]:
    """Give an hour's or a day's share each, oldest first, the empty ones too.

    Opens are as of a minute or two ago; pushes as of now.
    """
    step = DAY if back >= BY_DAY_FROM else HOUR
    first = _floor(now - back, step) + step
    shares = {first + n * step: Share(began_at=first + n * step) for n in range(int(back / step))}
    summed = HourTally.objects.filter(app__in=app_ids, hour__gte=first).values_list("hour")
    names = (*SUMMED, "opened")
    for hour, *counts in summed.annotate(*(Sum(name) for name in names)):
        _add(shares.get(_floor(hour, step)), dict(zip(names, counts, strict=True)))
    for began_at, under_way in _live(app_ids):
        # what began earlier is still under way now
        _add(shares.get(max(_floor(began_at, step), first)), under_way)
    return list(shares.values())


def _live(app_ids: Collection[int]) -> Sequence[tuple[datetime, Mapping[str, int]]]:
    """Give the counters of firings the hourly sums do not have yet."""
    untallied = Q(state=Occurrence.State.SENDING) | Q(
        state=Occurrence.State.FINISHED, tallied=False
    )
    planning = Q(state=Occurrence.State.PLANNING)
    found = Occurrence.objects.filter(untallied | planning, notification__app__in=app_ids)
    rows = found.order_by("-id").values_list("started_at", "due_at", *SUMMED)[:MOST_LIVE]
    return [(started or due, dict(zip(SUMMED, n, strict=True))) for started, due, *n in rows]


def _add(share: Share | None, counts: Mapping[str, int]) -> None:
    if share is not None:
        for name, count in counts.items():
            setattr(share, name, getattr(share, name) + count)


def _floor(moment: datetime, step: timedelta) -> datetime:
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole if step < DAY else whole.replace(hour=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Tokens by transport and state on the last day counted, and by day and state before."""

    counted_at: datetime | None
    now: Mapping[tuple[str, str], int]
    days: Mapping[date, Mapping[str, int]]


def tokens(app_ids: Collection[int], *, today: date, back: timedelta = 30 * DAY) -> Tokens:
    """Give the hourly count of tokens, and each day's last."""
    rows = TokenCount.objects.filter(app__in=app_ids, day__gt=today - back)
    summed = rows.values_list("day", "transport", "state").annotate(
        tokens=Sum("tokens"), at=Max("counted_at")
    )
    days: dict[date, dict[str, int]] = {}
    last: dict[tuple[str, str], int] = {}
    counted_at: datetime | None = None
    for day, those in groupby(summed.order_by("day"), key=lambda row: row[0]):
        last, states = {}, defaultdict[str, int](int)
        for _, transport, state, count, at in those:
            last[transport, state] = count
            states[state] += count
            counted_at = at if counted_at is None else max(counted_at, at)
        days[day] = dict(states)
    return Tokens(counted_at=counted_at, now=last, days=days)


@dataclass(frozen=True, kw_only=True, slots=True)
class Late:
    """Work of one lane and app that could be done now, and how long the oldest has waited."""

    lane: str
    app_id: int
    batches: int
    oldest: timedelta


def late_work(app_ids: Collection[int], *, now: datetime) -> Sequence[Late]:
    """Give what waits, the longest waiting first; nothing where all is being done."""
    due = Batch.objects.filter(
        state=Batch.State.WAITING, lane__in=Lane.values, app__in=app_ids, next_attempt_at__lte=now
    )
    waiting = due.values_list("lane", "app").annotate(n=Count("pk"), at=Min("next_attempt_at"))
    found = [
        Late(lane=lane, app_id=app, batches=n, oldest=now - at) for lane, app, n, at in waiting
    ]
    return sorted(found, key=lambda late: late.oldest, reverse=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderHealth:
    """How one credential fared; milliseconds are upper bounds, `rate` pushes a second or None."""

    credential: ProviderCredential
    spells: Sequence[Spell]
    breakers: Sequence[Breaker]
    rate: float | None
    answers: Mapping[str, int] = field(default_factory=dict)

    @property
    def accept_rate(self) -> float | None:
        """The share of answers that took the push; None where there were none."""
        asked = sum(self.answers.values())
        return self.answers.get("accepted", 0) / asked if asked else None

    @property
    def median_ms(self) -> int | None:
        """Half of the batches had their first answer within so many milliseconds."""
        return quantile(self.spells, 0.5)

    @property
    def slow_ms(self) -> int | None:
        """95 of 100 batches had."""
        return quantile(self.spells, 0.95)


def provider_health(
    app_ids: Collection[int], *, now: datetime, back: timedelta = DAY
) -> Sequence[ProviderHealth]:
    """Give how each credential fared, the troubled first."""
    found = ProviderCredential.objects.filter(app__in=app_ids).select_related("app")
    credentials = list(found.defer("sealed", "ca_pem").order_by("app", "provider", "pk"))
    ids = [credential.pk for credential in credentials]
    seen = spells(ids, now=now, back=back)
    rates = pacing.rates(credentials)
    shut = defaultdict[int, list[Breaker]](list)
    for breaker in Breaker.objects.filter(credential__in=ids).exclude(state=Breaker.State.CLOSED):
        shut[breaker.credential_id].append(breaker)
    told = [
        ProviderHealth(
            credential=credential,
            spells=seen.get(credential.pk, ()),
            breakers=shut[credential.pk],
            rate=rates.get(credential.pk),
            answers=_answers(seen.get(credential.pk, ())),
        )
        for credential in credentials
    ]
    return sorted(told, key=lambda one: not one.breakers)


def _answers(found: Sequence[Spell]) -> Mapping[str, int]:
    summed = defaultdict[str, int](int)
    for spell in found:
        for verdict, count in spell.answers.items():
            summed[verdict] += count
    return dict(summed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A firing under way, and when it should be done, if anything tells."""

    occurrence: Occurrence
    expected_at: datetime | None


def running(app_ids: Collection[int], *, now: datetime) -> Sequence[Running]:
    """Give the latest firings that are under way."""
    found = Occurrence.objects.filter(
        state__in=Occurrence.UNDER_WAY, notification__app__in=app_ids
    ).select_related("notification__app")
    unread = ("notification__audience", "notification__user_meta", "notification__reporting_meta")
    shown = list(found.defer(*unread).order_by("-id")[:MOST_RUNNING])
    ends = expected_finishes(shown, now=now)
    return [Running(occurrence=o, expected_at=ends.get(o.pk)) for o in shown]
