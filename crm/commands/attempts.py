"""Wrong passwords for one name, counted while they are many; right ones are never in the way."""

import hashlib
import logging

from django.core.cache import cache
from redis import RedisError

log = logging.getLogger(__name__)

MOST = 10
"""Wrong passwords for one name within `WINDOW` before it has to wait."""

WINDOW = 900
"""Seconds."""


class Attempts:
    """The wrong passwords said lately for one name of one application.

    They are counted in the broker's store, for all web processes; while that is away nobody is
    kept from logging in.
    """

    def __init__(self, *, app_id: int, name: str) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()
        self._key = f"attempts:{app_id}:{digest}"

    def wait(self) -> int:
        """Give the seconds until another try is heard; 0 where one is now."""
        return WINDOW if self._count() >= MOST else 0

    def failed(self) -> None:
        """Count a wrong one."""
        try:
            cache.add(self._key, 0, timeout=WINDOW)
            cache.incr(self._key)
        except (RedisError, ValueError):  # away, or the window has just closed
            log.warning("a wrong password could not be counted")

    def succeeded(self) -> None:
        """Forget the wrong ones."""
        try:
            cache.delete(self._key)
        except RedisError:
            log.warning("wrong passwords could not be forgotten")

    def _count(self) -> int:
        try:
            return int(cache.get(self._key, 0))
        except RedisError:
            log.warning("wrong passwords cannot be counted now")
            return 0
