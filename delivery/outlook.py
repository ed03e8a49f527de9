"""When what is under way will be sent, as far as it can be told from how it went so far."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Max

from delivery import pacing
from delivery.models import Batch, Occurrence, ProviderCredential

EARLY = timedelta(seconds=1)
"""What was sent within so short a time says nothing of the rest."""


def expected_finishes(
    occurrences: Iterable[Occurrence], *, now: datetime
) -> Mapping[int, datetime | None]:
    """Give, by its id, when each firing under way should be done; None where nobody can know yet.

    The rest goes as fast as it went so far, no faster than the pace allows, and not before the last
    retry is due; what is left at its expiry ends there. Unknown is what has only begun, is still
    being planned, is paused or called off.
    """
    running = [o for o in occurrences if o.state in Occurrence.UNDER_WAY]
    rates = {o.pk: rate for o in running if (rate := _rate_so_far(o, now=now))}
    limits = _limits(rates)
    finishes: dict[int, datetime | None] = {o.pk: None for o in running}
    for occurrence in running:
        if rate := rates.get(occurrence.pk):
            latest, pace = limits.get(occurrence.pk, (now, None))
            seconds = occurrence.pending / min(rate, pace or rate)
            lives = occurrence.expires_at - now
            left = min(timedelta(seconds=seconds), max(lives, timedelta()))
            finishes[occurrence.pk] = max(now + left, latest)
    return finishes


def _rate_so_far(occurrence: Occurrence, *, now: datetime) -> float | None:
    """Give the pushes a second since it began, pauses left out; None where it tells nothing."""
    stopped = occurrence.held_at is not None or occurrence.called_off_at is not None
    planned = occurrence.state == Occurrence.State.SENDING
    if stopped or not planned or occurrence.started_at is None:
        return None
    took = now - occurrence.started_at - occurrence.held_for
    return occurrence.settled / took.total_seconds() if took >= EARLY else None


def _limits(ids: Iterable[int]) -> Mapping[int, tuple[datetime, float | None]]:
    """Give by id the last attempt a firing waits for, and the pace of what it waits with."""
    unfinished = Batch.objects.filter(
        occurrence__in=list(ids), state__in=[Batch.State.WAITING, Batch.State.SENDING]
    )
    found = unfinished.values_list("occurrence").annotate(
        latest=Max("next_attempt_at"), credentials=ArrayAgg("credential", distinct=True)
    )
    limits = list(found)
    asked = {pk for _, _, credentials in limits for pk in credentials if pk is not None}
    known = ProviderCredential.objects.only("provider", "pace").in_bulk(asked)
    return {
        id_: (latest, _pace_of([known.get(pk) for pk in credentials]))
        for id_, latest, credentials in limits
    }


def _pace_of(credentials: Iterable[ProviderCredential | None]) -> float | None:
    """Give the pace of several together; None where one of them has none."""
    paces = [pacing.full_rate(credential) if credential else None for credential in credentials]
    return None if None in paces else float(sum(filter(None, paces)))
