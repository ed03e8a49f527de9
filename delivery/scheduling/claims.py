"""Take due work exactly once: a conditional update, never a lock held across the network."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from crm import clock
from delivery.models import Batch, Occurrence
from delivery.models.notification import Lane
from delivery.scheduling import series

UNREAD = ("notification__filters", "notification__user_meta", "notification__reporting_meta")
"""What a caller said that no push needs: megabytes, where thousands of people are named."""


def take_occurrence(occurrence_id: int, *, now: datetime) -> Occurrence | None:
    """Give a due occurrence to its one planner; None where another has it or it is not due.

    A planner that vanished is followed by the next after `BATCH_LEASE`; planning goes on from the
    cursor. What should have begun too long ago is skipped. Of a series, the run after this one is
    stored in the same transaction: whatever happens to this one, that one is ahead.
    """
    # asked without a lock: with another schedule comes another run ahead, never the same one
    take = _take_run if series.is_run(occurrence_id) else _take
    if not take(occurrence_id, now=now):
        return None
    ours = Occurrence.objects.select_related("notification").defer(*UNREAD)
    return ours.filter(pk=occurrence_id).first()


@transaction.atomic
def _take_run(occurrence_id: int, *, now: datetime) -> bool:
    run = series.lock_run(occurrence_id, now=now)
    if run is None:
        return _take(occurrence_id, now=now)
    series.catch_up(run, now=now)
    taken = _take(occurrence_id, now=now)
    series.store_next(run, now=now)
    return taken


def _take(occurrence_id: int, *, now: datetime) -> bool:
    late = Q(state=Occurrence.State.DUE, latest_start_at__lt=now)
    taken = (
        Occurrence.objects.due(now)
        .filter(~late, pk=occurrence_id)
        .update(
            state=Occurrence.State.PLANNING,
            lease_until=now + settings.BATCH_LEASE,
            started_at=now,
        )
    )
    if not taken:
        Occurrence.objects.filter(late, pk=occurrence_id).update(
            state=Occurrence.State.SKIPPED, finished_at=now
        )
    return bool(taken)


def give_up_planning(occurrence_id: int) -> None:
    """Leave an occurrence at what was planned of it: nobody more would be reached in time."""
    planning = Occurrence.objects.filter(pk=occurrence_id, state=Occurrence.State.PLANNING)
    planning.update(state=Occurrence.State.SENDING, lease_until=None)


def take_batch(lane: str, *, now: datetime) -> Batch | None:
    """Give the lane's longest-waiting due batch to one worker until its lease ends, or None."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE delivery_batch
               SET state = 'sending', attempts = attempts + 1, lease_until = %s
             WHERE id = (
                SELECT id FROM delivery_batch
                 WHERE state = 'waiting' AND lane = %s AND next_attempt_at <= %s
                 ORDER BY next_attempt_at, id
                 LIMIT 1
                 FOR UPDATE SKIP LOCKED)
            RETURNING id
            """,
            [now + settings.BATCH_LEASE, lane, now],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    unread = [f"occurrence__{name}" for name in (*UNREAD, "notification__audience")]
    batches = Batch.objects.select_related("occurrence__notification", "credential")
    # an app deleted just now took its batches along
    return batches.defer(*unread).filter(pk=row[0]).first()


def keep_batch(batch: Batch) -> bool:
    """Prolong the lease of a batch still ours; False when it was lost to another worker."""
    until = clock.now() + settings.BATCH_LEASE
    return bool(_ours(batch).update(lease_until=until))


def release_batch(batch: Batch, *, wait: timedelta, reason: str, tried: bool = False) -> bool:
    """Put a batch back for what is left of it, due after `wait`; False when it was not ours.

    `tried` says that the provider was asked: what only waited for a credential backs off no longer.
    """
    return bool(
        _ours(batch).update(
            state=Batch.State.WAITING,
            next_attempt_at=clock.now() + wait,
            lease_until=None,
            last_reason=reason,
            tries=batch.tries + tried,
        )
    )


def close_batch(batch: Batch) -> bool:
    """Mark a batch done; False when it was not ours."""
    return bool(_ours(batch).update(state=Batch.State.DONE, lease_until=None))


def _ours(batch: Batch) -> QuerySet[Batch]:
    # every claim raises `attempts`: it tells this claim from a later worker's
    return Batch.objects.filter(pk=batch.pk, state=Batch.State.SENDING, attempts=batch.attempts)


def free_lost_batches(*, now: datetime) -> int:
    """Put back batches whose worker vanished, and count what they may send twice.

    Gives the number freed. What a lost worker had sent and not recorded cannot be known; the whole
    unrecorded remainder is counted as replayed, an upper bound.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH lost AS (
                SELECT b.id, b.occurrence_id, b.token_ids, o.ledger_day
                  FROM delivery_batch b JOIN delivery_occurrence o ON o.id = b.occurrence_id
                 WHERE b.state = 'sending' AND b.lease_until < %s
                   FOR UPDATE OF b SKIP LOCKED
            ), freed AS (
                UPDATE delivery_batch b
                   SET state = 'waiting', lost = lost + 1, lease_until = NULL,
                       next_attempt_at = %s, last_reason = 'the worker vanished'
                  FROM lost WHERE b.id = lost.id
            ), counted AS (
                SELECT occurrence_id, sum(cardinality(token_ids) - (
                    SELECT count(*) FROM delivery_delivery d
                     WHERE d.day = lost.ledger_day AND d.occurrence_id = lost.occurrence_id
                       AND d.token_id = ANY(lost.token_ids))) AS pushes
                  FROM lost GROUP BY occurrence_id
            ), replayed AS (
                UPDATE delivery_occurrence o SET replayed = replayed + counted.pushes
                  FROM counted WHERE o.id = counted.occurrence_id
            )
            SELECT count(*) FROM lost
            """,
            [now, now],
        )
        freed: int = cursor.fetchone()[0]
    return freed


def come_back_to(now: datetime) -> None:
    """Bring near what lies too far ahead since the database's clock was set back.

    A lease is counted from now again, and what was stored in what is now the future is due.
    """
    lease = settings.BATCH_LEASE
    leased = Batch.objects.filter(state=Batch.State.SENDING, lease_until__gt=now + 2 * lease)
    leased.update(lease_until=now + lease)
    patience = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT) + lease
    planning = Occurrence.objects.filter(state=Occurrence.State.PLANNING)
    planning.filter(lease_until__gt=now + 2 * patience).update(lease_until=now + patience)
    waiting = Batch.objects.filter(state=Batch.State.WAITING, next_attempt_at__gt=now)
    waiting.filter(created_at__gt=now + lease).update(next_attempt_at=now)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Work nobody has been woken for yet."""

    occurrences: list[tuple[int, str]]  # (id, lane)
    lanes: dict[str, int]  # batches due now, counted no further than a few


def find_waiting(*, now: datetime, at_most: int) -> Waiting:
    """Give what a lost ring may have left behind, `at_most` of each kind."""
    due = Occurrence.objects.due(now).order_by("due_at")
    occurrences = due.values_list("pk", "notification__lane")[:at_most]
    lanes = {
        lane.value: Batch.objects.filter(
            state=Batch.State.WAITING, lane=lane, next_attempt_at__lte=now
        )[:at_most].count()
        for lane in Lane
    }
    return Waiting(occurrences=list(occurrences), lanes=lanes)


# one statement, one snapshot: between two a planner could store the last page of batches
FINISH = """
UPDATE delivery_occurrence o SET state = 'finished', finished_at = %s
 WHERE o.state = 'sending' AND {which}
   AND NOT EXISTS (SELECT 1 FROM delivery_batch b
                    WHERE b.occurrence_id = o.id AND b.state IN ('waiting', 'sending'))
"""


def finish_occurrence(occurrence_id: int) -> bool:
    """Finish an occurrence that is planned and has no batch left; False where it has."""
    return bool(_finish("o.id = %s", occurrence_id))


def finish_idle_occurrences() -> int:
    """Finish what a worker lost between its last batch and the finishing; gives the number."""
    return _finish("true")


def _finish(which: str, *ids: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(FINISH.format(which=which), [clock.now(), *ids])
        return int(cursor.rowcount)
