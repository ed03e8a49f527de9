"""The doorbell: each task wakes one stage and rings for the next.

A message only ever says "look now". What it is about is in the database, so a lost message costs
a tick, a doubled one finds nothing to do.
"""

from time import monotonic

from celery import shared_task

from crm import clock
from crm.commands.accounts import forget_guests
from crm.commands.count_tokens import count_tokens
from crm.commands.history import forget_device_events
from crm.commands.kept_answers import forget_answers
from crm.commands.sessions import forget_expired_sessions
from crm.commands.token_health import forget_retired_tokens
from delivery import capping, dispatch, expiry, fanout, firings, ledger, retention, tally
from delivery.doorbell import Doorbell
from delivery.models.notification import Lane
from delivery.scheduling import claims
from delivery.webhooks.keeping import forget_events
from delivery.webhooks.readers import work_waits
from delivery.webhooks.teller import Teller

RINGS = 16
"""Messages kept in a queue while it has work: enough to wake some machines' workers."""

FOUND_AT_ONCE = 100

PLANNING = "planning"
"""The queue of what is to be planned and is not urgent: ahead of bulk work, as it is short."""

TURN = 0.25
"""Seconds a worker pushes batch after batch before others that rang in its queue have a turn."""

PLAN_FOR = 2.0
"""Seconds a worker plans one broadcast before it lets others have a turn."""


@shared_task(name="fan_out")
def fan_out(occurrence_id: int, lane: str) -> None:
    """Slice an occurrence into batches, and ring as they are stored.

    Safe to run twice: planning goes on from the stored cursor. What takes long goes on there, too,
    behind what has been rung for meanwhile. An urgent push is sent by whoever planned it: a second
    message would wait for a second worker to be free.
    """
    began_at, sends = monotonic(), lane == Lane.URGENT
    for batches in fanout.plan_batches(occurrence_id):
        ring_for_batches(lane, batches - sends)
        if monotonic() - began_at >= PLAN_FOR and fanout.put_off(occurrence_id):
            doorbell.ring(fan_out, (occurrence_id, lane), lane=Lane(lane).queue)
            break
    if sends:
        deliver(Lane.URGENT.queue)


@shared_task(name="deliver")
def deliver(queue: str) -> None:
    """Push a queue's due batches for a turn and ring for the rest.

    A message costs as much as some hundred pushes. Urgent work still waits for one batch at most.
    """
    began_at = monotonic()
    while dispatch.deliver_next(queue):
        if monotonic() - began_at >= TURN or _urgent_waits(behind=queue):
            doorbell.ring(deliver, (queue,), lane=queue)
            return


def _urgent_waits(*, behind: str) -> bool:
    return behind != Lane.URGENT.queue and doorbell.waiting(Lane.URGENT.queue) > 0


@shared_task(name="tick")
def tick() -> None:
    """Find what no message woke: due moments, vanished workers, lost rings."""
    now = clock.now()
    claims.come_back_to(now)
    claims.free_lost_batches(now=now)
    claims.finish_idle_occurrences()
    waiting = claims.find_waiting(now=now, at_most=FOUND_AT_ONCE)
    for occurrence_id, lane in waiting.occurrences:
        ring_for_occurrence(occurrence_id, lane=lane)
    for lane, batches in waiting.lanes.items():
        ring_for_batches(lane, batches)
    if work_waits(now=now):
        doorbell.ring(tell_webhooks, (), lane=Lane.BULK.queue)


@shared_task(name="tell_webhooks")
def tell_webhooks() -> None:
    """Have threads of this process tell webhooks what happened; this itself takes no time."""
    teller.wake()


@shared_task(name="welcome_zones")
def welcome_zones() -> None:
    """Give local sends a firing for zones that were empty when they were asked for."""
    firings.welcome_zones(now=clock.now())


@shared_task(name="add_up")
def add_up() -> None:
    """Add what has finished, and who opened what, to the totals that metrics and pages show."""
    tally.add_finished()
    tally.add_opens()


@shared_task(name="upkeep")
def upkeep() -> None:
    """Make ledger partitions ahead, drop what is past its time, warn of credentials that end."""
    now = clock.now()
    ledger.keep_partitions(today=now.date())
    ledger.forget_batches(today=now.date())
    forget_guests(now=now)
    forget_retired_tokens(now=now)
    count_tokens(now=now)
    expiry.log_warnings(now=now)
    forget_answers(now=now)
    forget_events(now=now)
    capping.forget_slots(today=now.date())


@shared_task(name="sweep")
def sweep() -> None:
    """Delete what is past its retention, each kind for a turn; the next sweep goes on."""
    now = clock.now()
    forget_expired_sessions(now=now)
    forget_device_events(now=now)
    retention.forget_notifications(now=now)


def ring_for_occurrence(occurrence_id: int, *, lane: str) -> None:
    """Ask a worker to plan an occurrence now."""
    queue = lane if lane == Lane.URGENT else PLANNING
    doorbell.ring(fan_out, (occurrence_id, lane), lane=queue)


def ring_for_batches(lane: str, batches: int) -> None:
    """Top a lane's queue up, so that as many workers look as there is work for."""
    if batches:
        queue = Lane(lane).queue
        doorbell.top_up(deliver, (queue,), lane=queue, wanted=batches, most=RINGS)


doorbell = Doorbell()
"""The one doorbell of this process."""

teller = Teller()
"""The one teller of this process."""
