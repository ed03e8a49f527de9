"""The doorbell: each task wakes one stage and rings for the next.

A message only ever says "look now". What it is about is in the database, so a lost message costs
a tick, a doubled one finds nothing to do.
"""

import logging
from time import monotonic
from typing import Any

from celery import Task, shared_task
from django.conf import settings
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from crm import clock
from crm.commands.accounts import forget_guests
from crm.commands.sessions import forget_expired_sessions
from delivery import dispatch, fanout, firings, ledger
from delivery.scheduling import claims

log = logging.getLogger(__name__)

RINGS = 16
"""Messages kept in a lane's queue while it has work: enough to wake some machines' workers."""

FOUND_AT_ONCE = 100

REST = 5.0
"""Seconds nobody waits for a broker that has just failed to answer."""


@shared_task(name="fan_out")
def fan_out(occurrence_id: int, lane: str) -> None:
    """Slice an occurrence into batches, and ring as they are stored.

    Safe to run twice: planning goes on from the stored cursor.
    """
    for batches in fanout.plan_batches(occurrence_id):
        ring_for_batches(lane, batches)


@shared_task(name="deliver")
def deliver(lane: str) -> None:
    """Push one batch of a lane and ring for the next; urgent work never waits for more than one."""
    if dispatch.deliver_next(lane):
        doorbell.ring(deliver, (lane,), lane=lane)


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


@shared_task(name="welcome_zones")
def welcome_zones() -> None:
    """Give local sends a firing for zones that were empty when they were asked for."""
    firings.welcome_zones(now=clock.now())


@shared_task(name="upkeep")
def upkeep() -> None:
    """Make ledger partitions ahead of time, and drop days, sessions and guests past theirs."""
    now = clock.now()
    ledger.keep_partitions(today=now.date())
    forget_expired_sessions(now=now)
    forget_guests(now=now)


def ring_for_occurrence(occurrence_id: int, *, lane: str) -> None:
    """Ask a worker to plan an occurrence now."""
    doorbell.ring(fan_out, (occurrence_id, lane), lane=lane)


def ring_for_batches(lane: str, batches: int) -> None:
    """Top a lane's queue up, so that as many workers look as there is work for."""
    if not batches:
        return
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1) as broker:
            queued = broker.llen(lane)
    except RedisError:
        log.warning("the broker does not answer; the next tick will ring")
        return
    for _ in range(min(batches, RINGS - int(queued))):
        doorbell.ring(deliver, (lane,), lane=lane)


class Doorbell:
    """The way to the broker, left alone for a while once it has failed.

    A caller waits for a silent broker for seconds, and each is a web thread nobody else can have.
    """

    def __init__(self) -> None:
        self._rests_until = 0.0

    def ring(self, task: "Task[Any, None]", args: tuple[object, ...], *, lane: str) -> None:
        """Send a message, or leave it to the tick where the broker is away: the work is stored."""
        if monotonic() < self._rests_until:
            return
        try:
            task.apply_async(args, queue=lane)
        except OperationalError:
            self._rests_until = monotonic() + REST
            log.warning("the broker does not answer; the next tick will ring")


doorbell = Doorbell()
"""The one doorbell of this process."""
