"""Details of a send, kept as long as they were dear: whoever watches does not slow what they watch.

A tally looks at every push. It is made again after twenty times as long as it took, by one of all
who watch, and given up after some seconds. Without the cache it is made for each.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.core.cache import cache
from redis import RedisError

from crm.hurry import TookTooLong, within
from delivery.breakdown import Breakdown, break_down
from delivery.models import Notification

log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=5)
"""For each statement of a tally."""

TIMES = 20
"""So many times what a tally cost it is good for: a twentieth of one core at most."""

AT_LEAST = {True: timedelta(seconds=2), False: timedelta(seconds=15)}
"""What one is good for, by whether the send is under way; opens come in after it, too."""

KEPT = 86_400
MOST_SAMPLES = 120
APART = 1.5  # seconds between two samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A tally and its moment; without one, `too_slow` says that none could be made in time."""

    tally: Breakdown | None
    at: datetime
    good_until: datetime
    under_way: bool
    too_slow: bool = False


def counted(notification: Notification, *, under_way: bool, now: datetime) -> Counted | None:
    """Give the details as they were lately; None while somebody else counts them first."""
    key = f"tally:{notification.pk}"
    kept: Counted | None = _ask(cache.get, key)
    # what was counted before the end is not good after it
    if kept is not None and kept.good_until > now and kept.under_way == under_way:
        return kept
    alone = _ask(cache.add, f"{key}:busy", 1, timeout=int(PATIENCE.total_seconds()) * 4)
    if alone is False:
        return kept
    fresh = _count(notification, under_way=under_way, now=now)
    _ask(cache.set, key, fresh, timeout=KEPT)
    _ask(cache.delete, f"{key}:busy")
    return fresh


def _count(notification: Notification, *, under_way: bool, now: datetime) -> Counted:
    began = monotonic()
    found: Breakdown | None = None
    with suppress(TookTooLong), within(PATIENCE):
        found = break_down(notification, now=now)
    took = timedelta(seconds=monotonic() - began)
    good_for = max(took * TIMES, AT_LEAST[under_way])
    return Counted(
        tally=found,
        at=now,
        good_until=now + good_for,
        under_way=under_way,
        too_slow=found is None,
    )


Sample = tuple[float, int]
"""Seconds since the epoch, and the pushes answered for by then."""


def sampled(notification: Notification, settled: int, *, now: datetime) -> Sequence[Sample]:
    """Note how far a send is, and give how far it was at the last hundred looks at it."""
    key, at = f"course:{notification.pk}", now.timestamp()
    known: list[Sample] = _ask(cache.get, key) or []
    if known and at - known[-1][0] < APART:
        return known
    known = [*known, (at, settled)][-MOST_SAMPLES:]
    _ask(cache.set, key, known, timeout=3600)
    return known


def _ask(question: Any, *args: Any, **said: Any) -> Any:
    try:
        return question(*args, **said)
    except (RedisError, OSError):
        log.warning("the cache does not answer; details are counted for each who looks")
        return None
