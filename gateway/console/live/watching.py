"""Where a send is, as texts, rows and series: the page and its script are given the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from django.db import connection

from delivery.breakdown import Breakdown
from delivery.dispatch import CALLED_OFF, HELD
from delivery.models import Breaker, Delivery, Notification
from delivery.pacing import PACED
from delivery.reports import Firing, Funnel, Progress, Standing, firings, progress
from gateway.console.live.tallies import Counted, Sample, counted, sampled

MOST_FIRINGS = 200
MOST_WAITS = 12
VERDICTS = Delivery.Verdict.values
PLATFORMS = {"apns": "Apple (APNs)", "fcm": "Android (FCM)", "apns_voip": "Apple calls (APNs)"}
LIVE = frozenset({Standing.SENDING, Standing.PAUSED, Standing.SCHEDULED})

WAITS = """
SELECT b.state = 'sending', b.last_reason, b.breaker_id, count(*),
       sum(cardinality(b.token_ids)), min(b.next_attempt_at)
  FROM delivery_batch b
 WHERE b.state IN ('waiting', 'sending') AND b.occurrence_id IN (
       SELECT id FROM delivery_occurrence
        WHERE notification_id = %s AND state IN ('planning', 'sending'))
 GROUP BY 1, 2, 3 ORDER BY 5 DESC LIMIT %s
"""

Rows = Sequence[Sequence[str]]
Series = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """Everything the page of a send tells that changes while one looks."""

    standing: Standing
    texts: Mapping[str, str]
    steps: Sequence[tuple[str, str, int, int]]  # key, label, number, of how many
    rows: Mapping[str, Rows]
    series: Mapping[str, Series]

    @property
    def live(self) -> bool:
        """Whether something may still happen by itself."""
        return self.standing in LIVE

    def as_json(self) -> dict[str, Any]:
        """Give all of it to a script."""
        return {
            "standing": self.standing.value,
            "live": self.live,
            "texts": self.texts,
            "steps": {key: {"number": n, "of": of} for key, _, n, of in self.steps},
            "rows": self.rows,
            "series": self.series,
        }


def watch(notification: Notification, *, now: datetime) -> Watched:
    """Look at a send: bounded queries over counters, and details that were counted lately."""
    [course] = progress([notification], now=now, opens=False)
    found = firings(notification, now=now, most=MOST_FIRINGS)
    details = counted(notification, under_way=course.standing in LIVE, now=now)
    counts = course.funnel
    settled = counts.targeted - counts.pending
    samples = sampled(notification, settled, now=now) if course.standing == Standing.SENDING else []
    tally = details.tally if details else None
    waits = _waits(notification) if course.standing in LIVE else []
    return Watched(
        standing=course.standing,
        texts=_texts(course, details, samples, now=now),
        steps=_steps(counts, tally),
        rows={
            "waits": waits,
            "reasons": _reasons(tally),
            "platforms": _platforms(tally),
            "firings": [_firing(firing) for firing in found],
        },
        series={
            "rate": _rate(tally, samples),
            "platforms": _platform_series(tally),
            "zones": _zone_series([firing for firing in found if firing.zone]),
        },
    )


def _texts(
    course: Progress, details: Counted | None, samples: Sequence[Sample], *, now: datetime
) -> Mapping[str, str]:
    counts = course.funnel
    rate = _rate_now(samples)
    said = {name: f"{getattr(counts, name):,}" for name in (*VERDICTS, "targeted", "pending")}
    return {
        **said,
        "standing": course.standing.value,
        "replayed": f"{counts.replayed:,}",
        "rate": f"{rate:,.0f} a second" if rate is not None else "-",
        "finish": _finish(course, now=now),
        "counted": _counted(details),
        "summary": f"{course.standing.value}: {counts.accepted:,} of {counts.targeted:,} accepted,"
        f" {counts.pending:,} pending",
    }


def _finish(course: Progress, *, now: datetime) -> str:
    if course.standing not in LIVE:
        return "-"
    if course.expected_at is None:
        return "not known yet"
    left = max((course.expected_at - now).total_seconds(), 0)
    return f"{course.expected_at.astimezone(UTC):%H:%M:%S} UTC, in {_span(left)}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _counted(details: Counted | None) -> str:
    if details is None:
        return "being counted"
    if details.too_slow:
        return "too many to count in time"
    return f"as of {details.at.astimezone(UTC):%H:%M:%S} UTC"


def _steps(counts: Funnel, tally: Breakdown | None) -> Sequence[tuple[str, str, int, int]]:
    targeted = counts.targeted
    return [
        ("targeted", "Targeted", targeted, targeted),
        ("accepted", "Accepted by the provider", counts.accepted, targeted),
        ("receipts", "Said to have arrived, by apps that say so", _of(tally, "receipts"), targeted),
        ("opened", "Opened", _of(tally, "opened"), targeted),
    ]


def _of(tally: Breakdown | None, name: str) -> int:
    return 0 if tally is None else int(getattr(tally, name))


def _waits(notification: Notification) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(WAITS, [notification.pk, MOST_WAITS])
        found = cursor.fetchall()
    breakers = Breaker.objects.in_bulk([row[2] for row in found if row[2] is not None])
    return [
        [_because(taken, reason, breakers.get(breaker)), f"{pushes:,}", f"{batches:,}", _time(at)]
        for taken, reason, breaker, batches, pushes, at in found
    ]


def _because(taken: bool, reason: str, breaker: Breaker | None) -> str:  # noqa: FBT001 - a column
    if taken:
        return "being sent now"
    if breaker is not None and breaker.state != Breaker.State.CLOSED:
        return f"a breaker is open: {breaker.reason}; next probe {_time(breaker.next_probe_at)}"
    known = {
        "": "in line for a worker",
        HELD: "paused",
        PACED: "waits for its turn at the credential's pace",
        CALLED_OFF: "cancelled: about to be recorded",
    }
    return known.get(reason, f"is to be tried again: {reason}")


def _reasons(tally: Breakdown | None) -> Rows:
    if tally is None:
        return []
    ranked = sorted(tally.outcomes.items(), key=lambda one: -one[1])
    return [
        [PLATFORMS.get(k.transport, k.transport), k.verdict, k.reason or "-", f"{count:,}"]
        for k, count in ranked
    ]


def _by_platform(tally: Breakdown) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for transport, targeted in sorted(tally.targeted.items()):
        own = dict.fromkeys(VERDICTS, 0)
        for kind, count in tally.outcomes.items():
            if kind.transport == transport:
                own[kind.verdict] += count
        # a batch that is planned between the two counts is not pending less than nothing
        own["pending"] = max(targeted - sum(own.values()), 0)
        found[PLATFORMS.get(transport, transport)] = {"targeted": targeted, **own}
    return found


def _platforms(tally: Breakdown | None) -> Rows:
    if tally is None:
        return []
    return [[name, *(f"{n:,}" for n in own.values())] for name, own in _by_platform(tally).items()]


def _platform_series(tally: Breakdown | None) -> Series:
    found = _by_platform(tally) if tally else {}
    names = [*VERDICTS, "pending"]
    return {
        "labels": list(found),
        "sets": {name: [own[name] for own in found.values()] for name in names},
    }


def _firing(firing: Firing) -> Sequence[str]:
    counts = firing.funnel
    numbers = [counts.targeted, counts.accepted, counts.pending]
    failed = counts.targeted - counts.accepted - counts.pending
    return [
        firing.zone or "everywhere",
        f"{firing.due_at.astimezone(UTC):%Y-%m-%d %H:%M}",
        firing.standing.value,
        *(f"{n:,}" for n in [*numbers, failed]),
        _time(firing.expected_at),
    ]


def _zone_series(found: Sequence[Firing]) -> Series:
    return {
        "labels": [firing.zone for firing in found],
        "sets": {
            "accepted": [firing.funnel.accepted for firing in found],
            "pending": [firing.funnel.pending for firing in found],
            "other": [
                firing.funnel.targeted - firing.funnel.accepted - firing.funnel.pending
                for firing in found
            ],
        },
    }


def _rate_now(samples: Sequence[Sample]) -> float | None:
    """Give the pushes a second over the last ten seconds somebody looked."""
    if len(samples) < 2:
        return None
    last = samples[-1]
    first = next((one for one in samples if last[0] - one[0] <= 10), samples[-2])
    first = samples[-2] if first is last else first
    return (last[1] - first[1]) / (last[0] - first[0])


def _rate(tally: Breakdown | None, samples: Sequence[Sample]) -> Series:
    """Give pushes a second over time: from the ledger, or as it is seen to go."""
    if len(samples) > 3 or tally is None:
        pairs = list(pairwise(samples))
        moments = [datetime.fromtimestamp(b[0], UTC) for _, b in pairs]
        rates = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs]
    else:
        moments = [at for at, _ in tally.bars]
        rates = [count / tally.width.total_seconds() for _, count in tally.bars]
    return {
        "labels": [f"{at.astimezone(UTC):%H:%M:%S}" for at in moments],
        "sets": {"pushes a second": [round(rate, 1) for rate in rates]},
    }


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(UTC):%H:%M:%S}"
