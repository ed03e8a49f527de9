"""How many requests of one app are heard through one door, so that none takes the others' room.

The bucket is in the broker's store, for all web processes; while that is away everybody is heard.
A process is ahead of it by a hundredth of the rate a second, and takes a twentieth of the rate at
once: a caller far from the limit costs no round trip, one near it a few dozen a second.
"""

import threading
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from time import monotonic
from typing import Any

from django.conf import settings
from prometheus_client import Counter
from redis import Redis
from redis.commands.core import Script
from rest_framework.exceptions import APIException

from crm.models import App
from delivery.forbearance import Forbearing

BURST = 2
"""Seconds' worth a bucket holds: who was silent may say so much at once."""

FREE, LEASE = 100, 20
"""What part of a second's worth is free to each process, and what part it takes at once."""

PATIENCE = 0.25
"""Seconds a request waits for the broker at most."""

TAKE = """
local key, rate, room, want = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local kept = redis.call('HMGET', key, 'level', 'at')
local level, at = tonumber(kept[1]) or room, tonumber(kept[2]) or now
level = math.min(room, level + math.max(0, now - at) * rate)
local given = math.min(want, math.floor(level))
redis.call('HSET', key, 'level', tostring(level - given), 'at', tostring(now))
redis.call('EXPIRE', key, 60)
return {given, given > 0 and 0 or math.ceil((1 - level) / rate * 1000)}
"""

THROTTLED = Counter("gateway_http_throttled", "Requests answered 429.", ["app", "door"])


class TooManyRequests(APIException):
    """Whoever asks has to wait; `wait` is in whole seconds."""

    status_code = 429
    default_detail = "Too Many Requests"

    def __init__(self, *, wait: float) -> None:
        super().__init__()
        self.wait = max(1, ceil(wait))


@dataclass(slots=True)
class Share:
    """What a process may still let in for one app and door without asking."""

    left: int = 0
    since: float = 0.0
    shut_until: float = 0.0

    def take(self, now: float, rate: int) -> bool:
        """Let one in, if it may."""
        if now - self.since >= 1:
            self.since, self.left = now, max(self.left, rate // FREE)
        if self.left <= 0:
            return False
        self.left -= 1
        return True


class Throttle(Forbearing):
    """Counts the requests that come through each app's doors."""

    def __init__(self) -> None:
        super().__init__(instead="nobody is throttled meanwhile")
        self._shares: dict[tuple[int, str], Share] = {}
        self._lock = threading.Lock()

    def wait(self, *, app_id: int, door: str, rate: int) -> float:
        """Count a request; gives the seconds until one will be heard, 0 where this one is."""
        now = monotonic()
        with self._lock:
            share = self._shares.setdefault((app_id, door), Share())
            if share.take(now, rate):
                return 0
            if now < share.shut_until:
                return share.shut_until - now
        given, wait = self._ask(f"gateway:throttle:{app_id}:{door}", rate)
        with self._lock:
            share.left += given - 1 if given else 0
            share.shut_until = 0.0 if given else now + min(wait, 1.0)
        return wait

    def _ask(self, key: str, rate: int) -> tuple[int, float]:
        said: Any = None
        with self._unless_it_rests() as rests:
            if not rests:
                want = max(1, rate // LEASE)
                args = [rate, rate * BURST, want]
                said = _script(settings.REDIS_URL)(keys=[key], args=args)
        return (1, 0.0) if said is None else (int(said[0]), said[1] / 1000)


throttle = Throttle()
"""The counts as this process keeps them."""


def admit(app: App, *, door: str) -> None:
    """Let a request in through one of its app's doors; raises `TooManyRequests`."""
    rate = settings.RATES[door] if app.rate_limit is None else app.rate_limit
    if rate and (wait := throttle.wait(app_id=app.pk, door=door, rate=rate)) > 0:
        THROTTLED.labels(app.pk, door).inc()
        raise TooManyRequests(wait=wait)


@lru_cache
def _script(url: str) -> Script:
    broker = Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
    return broker.register_script(TAKE)
