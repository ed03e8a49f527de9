"""How fast a credential sends: what it may, and slower where its provider wants it."""

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from time import monotonic

from django.conf import settings

from delivery.buckets import NOW, buckets
from delivery.models import Batch, ProviderCredential
from delivery.models.notification import Lane
from delivery.providers.contract import Outcome, Verdict

log = logging.getLogger(__name__)

PACED = "paced"
"""Why a batch waits that had no turn yet."""

DEFAULT = {"fcm": 10_000}
"""Pushes a second where nothing else is said: Google's quota is 600,000 a minute and project."""

HORIZON = 30.0
"""Seconds ahead for which turns are given out; whoever gets none asks again by then."""


def full_rate(credential: ProviderCredential) -> int | None:
    """Give how many pushes a second a credential may send at its best; None for any number."""
    pace = DEFAULT.get(credential.provider) if credential.pace is None else credential.pace
    return pace or None


def wait_for_turn(batch: Batch, *, pushes: int) -> timedelta | None:
    """Take a turn for a batch and give None, or say how long it has to wait for one.

    Urgent pushes may take theirs in advance, and never wait for bulk. While a provider wants quiet,
    all do.
    """
    credential = batch.credential
    if credential is None or (rate := full_rate(credential)) is None:
        return None
    urgent = batch.lane == Lane.URGENT
    turn = buckets.ask(credential.pk, rate=rate, pushes=pushes, urgent=urgent, horizon=HORIZON)
    if turn == NOW:
        return None
    # those without a turn come back one by one
    late = HORIZON * random.uniform(0.5, 1)  # noqa: S311 - no secret
    queue = turn.queue if turn.given else late
    return timedelta(seconds=turn.quiet + queue)


class Clock:
    """When the answers to one batch came."""

    def __init__(self) -> None:
        self.answers = 0
        self._began_at = monotonic()
        self._came: list[tuple[float, int]] = []

    def count(self, answers: int) -> None:
        """Note answers that came just now."""
        self.answers += answers
        self._came.append((monotonic() - self._began_at, answers))

    def first(self) -> float:
        """Give the seconds after which the first answer was there."""
        return self._came[0][0] if self._came else 0.0

    def median(self) -> float:
        """Give the seconds after which half of the answers were there."""
        counted = 0
        for seconds, answers in self._came:
            counted += answers
            if counted * 2 >= self.answers:
                return seconds
        return 0.0


def heed(credential: ProviderCredential, clock: Clock, again: Sequence[Outcome]) -> None:
    """Slow a credential down where its provider wants it, is overloaded or grows slow.

    A quota of all its pushes has it rest for as long as the provider says, at half its rate from
    then on; the quota of one device or topic is the affair of one push. Each minute of peace gives
    half of the full rate back.
    """
    if (rate := full_rate(credential)) is None:
        return
    waits = [o.retry_after or 0.0 for o in again if o.verdict is Verdict.THROTTLED and o.wide]
    unwell = [o for o in again if o.verdict is Verdict.UNAVAILABLE and o.retry_after is not None]
    overloaded = len(unwell) * 2 > clock.answers
    # how long answers take is compared among batches of about one size
    telling = clock.answers * 2 >= settings.BATCH_SIZE and not (waits or overloaded)
    if not (waits or overloaded or telling):
        return
    median = clock.median() if telling else -1.0
    wait = max(waits, default=-1.0)
    slowed = buckets.heed(credential.pk, rate=rate, wait=wait, overloaded=overloaded, median=median)
    if slowed:
        why = f"half of the answers took {median:.1f} s" if telling else again[0].reason
        log.warning("%s (%d) slows to %d a second: %s", credential, credential.pk, slowed, why)


def rates(credentials: Iterable[ProviderCredential]) -> Mapping[int, float]:
    """Give the present rate of each paced credential that has sent lately, by its id."""
    full = {c.pk: rate for c in credentials if (rate := full_rate(c)) is not None}
    return buckets.rates(full)
