"""Take due work exactly once: a conditional update, never a lock held across the network."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import QuerySet

from crm import clock
from crm.models import App
from delivery.models import Batch, Notification, Occurrence, ProviderCredential
from delivery.models.notification import Lane
from delivery.models.webhook import Topic
from delivery.outbox import FINISHED, listeners
from delivery.scheduling import series
from delivery.scheduling.turns import turns
from delivery.statement import UNSYNCED, Columns, fetch_row, run

UNREAD = ("filters", "user_meta", "reporting_meta")
"""What a caller said that no push needs: megabytes, where thousands of people are named."""

DEFERRED = tuple(f"notification__{name}" for name in UNREAD)
"""The same, of an occurrence's notification."""

FIRING = Columns(Occurrence)
ASK = Columns(Notification, unread=UNREAD)
WORDS = Columns(Notification, unread=(*UNREAD, "audience"))
WORK = Columns(Batch, unread=("token_ids",))
CREDENTIAL = Columns(ProviderCredential)

SOON = timedelta(minutes=1)
"""An urgent push that must be asked again within so long is still urgent, once."""


def take_occurrence(occurrence_id: int, *, now: datetime) -> Occurrence | None:
    """Give a due occurrence to its one planner; None where another has it or it is not due.

    A planner that vanished is followed by the next after `BATCH_LEASE`; planning goes on from the
    cursor. What should have begun too long ago is skipped. Of a series, the run after this one is
    stored in the same transaction: whatever happens to this one, that one is ahead.
    """
    if (taken := _take(occurrence_id, now=now)) is not None:
        return taken
    # asked without a lock: with another schedule comes another run ahead, never the same one
    if series.is_run(occurrence_id):
        return _take_run(occurrence_id, now=now)
    _skip_late(occurrence_id, now=now)
    return None


@transaction.atomic
def _take_run(occurrence_id: int, *, now: datetime) -> Occurrence | None:
    run = series.lock_run(occurrence_id, now=now)
    if run is not None:
        series.catch_up(run, now=now)
    taken = _take(occurrence_id, now=now, run=True)
    if taken is None:
        _skip_late(occurrence_id, now=now)
    if run is not None:
        series.store_next(run, now=now)
    return taken


# what is `due` in Occurrence's own word, and not too late; nothing leaves before a batch of it is
# claimed, and that commit takes this one to the disk along with it
TAKE_FIRING = f"""
UPDATE delivery_occurrence o
   SET state = 'planning', lease_until = %(until)s, started_at = coalesce(o.started_at, %(now)s)
  FROM delivery_notification n
 WHERE o.id = %(id)s AND n.id = o.notification_id AND (%(run)s OR NOT n.schedule ? 'every')
   AND (o.state = 'due' AND o.due_at <= %(now)s
            AND (o.latest_start_at IS NULL OR o.latest_start_at >= %(now)s)
        OR o.state = 'planning' AND o.lease_until < %(now)s)
RETURNING {FIRING.of("o")}, {ASK.of("n")}, {UNSYNCED}
"""  # noqa: S608 - names of columns


def _take(occurrence_id: int, *, now: datetime, run: bool = False) -> Occurrence | None:
    """Take what is due and not too late; a `run` of a series only where its lock is held."""
    until = now + settings.BATCH_LEASE
    row = fetch_row(TAKE_FIRING, {"id": occurrence_id, "now": now, "until": until, "run": run})
    if row is None:
        return None
    rest = list(row)
    occurrence = FIRING.take(rest)
    occurrence.notification = ASK.take(rest)
    return occurrence


def _skip_late(occurrence_id: int, *, now: datetime) -> None:
    late = Occurrence.objects.filter(state=Occurrence.State.DUE, latest_start_at__lt=now)
    late.filter(pk=occurrence_id).update(state=Occurrence.State.SKIPPED, finished_at=now)


def put_off_planning(occurrence_id: int) -> bool:
    """Let go of an occurrence planned in part, for whoever looks next; False where all is."""
    planning = Occurrence.objects.filter(pk=occurrence_id, state=Occurrence.State.PLANNING)
    return bool(planning.update(lease_until=clock.now()))


def give_up_planning(occurrence_id: int) -> None:
    """Leave an occurrence at what was planned of it: nobody more would be reached in time."""
    planning = Occurrence.objects.filter(pk=occurrence_id, state=Occurrence.State.PLANNING)
    planning.update(state=Occurrence.State.SENDING, lease_until=None)


def take_next(queue: str, *, now: datetime) -> Batch | None:
    """Give a due batch of a queue to one worker; its lanes are served in turn while all have some.

    So a storm of retries halves the pace of fresh work and never stops it, and the other way round.
    """
    for lane in turns.lanes(queue):
        if (batch := take_batch(lane, now=now)) is not None:
            turns.served(queue, lane)
            return batch
    return None


HOPS = 32
"""Apps with nothing due yet passed over at one claim; the next claim goes on from there."""

# From app to app along an index, whatever each has waiting, to the next with a batch due: what
# waits for a retry is passed over with its whole app. Nobody's turn is lost where many apps have
# nothing due: then the longest-waiting batch is taken, and the walk goes on at the next claim.
TAKE = f"""
WITH RECURSIVE walk AS (
    SELECT %(after)s::bigint AS app_id, NULL::timestamptz AS due_at, 0 AS hop
     WHERE EXISTS (SELECT FROM delivery_batch
                    WHERE state = 'waiting' AND lane = %(lane)s AND next_attempt_at <= %(now)s)
     UNION ALL
    SELECT following.app_id, following.next_attempt_at, walk.hop + 1
      FROM walk, LATERAL (
           SELECT * FROM (
               (SELECT app_id, next_attempt_at FROM delivery_batch
                 WHERE state = 'waiting' AND lane = %(lane)s AND app_id > walk.app_id
                 ORDER BY app_id, next_attempt_at LIMIT 1)
                UNION ALL
               (SELECT app_id, next_attempt_at FROM delivery_batch
                 WHERE state = 'waiting' AND lane = %(lane)s
                 ORDER BY app_id, next_attempt_at LIMIT 1)) around
            LIMIT 1) following
     WHERE walk.hop < %(hops)s AND (walk.due_at IS NULL OR walk.due_at > %(now)s)
), turn AS (
    SELECT app_id FROM walk ORDER BY hop DESC LIMIT 1
), taken AS (
    UPDATE delivery_batch b
       SET state = 'sending', attempts = attempts + 1, lease_until = %(until)s
     WHERE id = coalesce(
           (SELECT id FROM delivery_batch
             WHERE state = 'waiting' AND lane = %(lane)s AND next_attempt_at <= %(now)s
               AND app_id = (SELECT app_id FROM turn)
             ORDER BY next_attempt_at, id
             LIMIT 1
             FOR UPDATE SKIP LOCKED),
           (SELECT id FROM delivery_batch
             WHERE state = 'waiting' AND lane = %(lane)s AND next_attempt_at <= %(now)s
             ORDER BY next_attempt_at, id
             LIMIT 1
             FOR UPDATE SKIP LOCKED))
    RETURNING {WORK.of("b")}
)
SELECT (SELECT app_id FROM turn), a.cap_pushes,
       {WORK.of("taken")}, {FIRING.of("o")}, {WORDS.of("n")}, {CREDENTIAL.of("c")}
  FROM taken
  JOIN delivery_occurrence o ON o.id = taken.occurrence_id
  JOIN delivery_notification n ON n.id = o.notification_id
  JOIN crm_app a ON a.id = taken.app_id
  LEFT JOIN delivery_providercredential c ON c.id = taken.credential_id
"""  # noqa: S608 - names of columns


def take_batch(lane: str, *, now: datetime) -> Batch | None:
    """Give a due batch of a lane to one worker until its lease ends, or None.

    Apps are served in turn, whatever each has waiting; of an app, the longest-waiting batch.
    """
    until, after = now + settings.BATCH_LEASE, turns.app_after(lane)
    asked = {"lane": lane, "now": now, "until": until, "after": after, "hops": HOPS}
    if (row := fetch_row(TAKE, asked)) is None:
        return None
    turn, cap, *rest = row
    turns.came_to(lane, turn)
    batch, occurrence = WORK.take(rest), FIRING.take(rest)
    occurrence.notification = WORDS.take(rest)
    batch.occurrence, batch.credential = occurrence, CREDENTIAL.take_if_any(rest)
    # all that is asked of its app is whether that has a cap
    batch.app = App.from_db(DEFAULT_DB_ALIAS, ["id", "cap_pushes"], [batch.app_id, cap])
    return batch


def keep_batch(batch: Batch) -> bool:
    """Prolong the lease of a batch still ours; False when it was lost to another worker."""
    until = clock.now() + settings.BATCH_LEASE
    return bool(ours(batch).update(lease_until=until))


def retry_lane(batch: Batch, *, wait: timedelta) -> Lane:
    """Give the lane a batch waits in for another try.

    What is urgent stays so for one try more, and only a near one: later it is urgent no longer.
    """
    still_urgent = batch.lane == Lane.URGENT and batch.tries == 0 and wait <= SOON
    return Lane.URGENT if still_urgent else Lane.RETRY


# as `ours` has it; whoever takes a batch again after its lease finds nothing left, and closes it
CLOSE = f"""
UPDATE delivery_batch SET state = 'done', lease_until = NULL
 WHERE id = %(id)s AND state = 'sending' AND attempts = %(attempts)s
RETURNING {UNSYNCED}
"""  # noqa: S608 - no value


def close_batch(batch: Batch) -> bool:
    """Mark a batch done; False when it was not ours."""
    return bool(run(CLOSE, {"id": batch.pk, "attempts": batch.attempts}))


def ours(batch: Batch) -> QuerySet[Batch]:
    """Give the batch as it is in the database, if it is still this worker's."""
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
UPDATE delivery_occurrence o SET state = 'finished', finished_at = %(now)s
 WHERE o.state = 'sending' AND {which}
   AND NOT EXISTS (SELECT 1 FROM delivery_batch b
                    WHERE b.occurrence_id = o.id AND b.state IN ('waiting', 'sending'))
"""
FINISH_UNSEEN = f"{FINISH} RETURNING {UNSYNCED}"
"""While nobody is told of it, the next look does it again."""

FINISH_AND_TELL = f"WITH ended AS ({FINISH} RETURNING o.*), told AS ({FINISHED}) SELECT FROM ended"


def finish_occurrence(occurrence_id: int) -> bool:
    """Finish an occurrence that is planned and has no batch left; False where it has."""
    return bool(_finish("o.id = %(id)s", id=occurrence_id))


def finish_idle_occurrences() -> int:
    """Finish what a worker lost between its last batch and the finishing; gives the number."""
    return _finish("true")


def _finish(which: str, **asked: int) -> int:
    finish = FINISH_AND_TELL if listeners.anybody_wants(Topic.FINISHED) else FINISH_UNSEEN
    return run(finish.format(which=which), {"now": clock.now(), **asked})
