"""The beat: rings at its intervals, whatever the wall clocks show."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

from celery.beat import Scheduler
from django.conf import settings
from redis import Redis, RedisError

from gateway.metrics.signs import pulse

UNHEARD = "gateway:unheard:{}"
"""There while the last ring for a task has been heard by no worker."""

HEARD = "gateway:heard:{}"
"""There for a day after a worker last began a task the beat rings for: how long it still is, tells
when that was, whatever the clocks of the machines show."""

DAY = 86_400_000

RUNG = ("tick", "welcome_zones", "add_up", "upkeep")

FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0
"""Seconds until a ring nobody has heard is repeated; doubled every time."""


class Beats(Scheduler):
    """Rings for each task at its interval, by the monotonic clock.

    Celery's own scheduler is silent for as long as the wall clock was set back, and a message that
    expires is thrown away by a worker whose clock is ahead. Here nothing expires: where no worker
    hears, rings become rare instead, so that few are left for the one that comes back.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._due_at: dict[str, float] = {}
        self._waits: dict[str, float] = {}
        self._repeat_at: dict[str, float] = {}
        super().__init__(*args, **options)

    def tick(self, *_: Any) -> float:
        """Ring for what is due and give the seconds until the next is."""
        pulse.beat()
        now = monotonic()
        for name, entry in self.schedule.items():
            if now >= self._due_at.get(name, 0.0):
                self._due_at[name] = now + self.app.conf.beat_schedule[name]["schedule"]
                if self._is_wanted(name, now):
                    self.apply_entry(entry, producer=self.producer)
        return max(0.0, min(self._due_at.values()) - monotonic())

    def _is_wanted(self, name: str, now: float) -> bool:
        if _ring_is_free(name):
            self._waits[name] = FIRST_WAIT
        elif now < self._repeat_at.get(name, 0.0):
            return False
        else:
            self._waits[name] = min(2 * self._waits.get(name, FIRST_WAIT), LONGEST_WAIT)
        self._repeat_at[name] = now + self._waits[name]
        return True


def hear(name: str) -> None:
    """Have the beat know that a worker heard its ring."""
    try:
        with _broker() as broker:
            broker.pipeline(transaction=False).delete(UNHEARD.format(name)).set(
                HEARD.format(name), 1, px=DAY
            ).execute()
    except RedisError:
        return  # the ring is repeated


def heard_ago(broker: Redis) -> Mapping[str, float]:
    """Give how many seconds ago each task was begun last; nothing of those not begun for a day."""
    left = {name: int(broker.pttl(HEARD.format(name))) for name in RUNG}
    return {name: (DAY - kept) / 1000 for name, kept in left.items() if kept >= 0}


def _ring_is_free(name: str) -> bool:
    try:
        with _broker() as broker:
            return bool(broker.set(UNHEARD.format(name), 1, nx=True))
    except RedisError:
        return False


def _broker() -> Redis:
    return Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
