"""The cache of pages, and of what counts wrong passwords: the broker's store, or else our own."""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis import RedisError

log = logging.getLogger(__name__)

REST = 5
"""Seconds for which a store that was away is not asked again."""


class SteadyCache(RedisCache):
    """Redis for all processes; while it is away, the memory of each.

    What counts attempts thus goes on counting: nobody is locked out because Redis is away, and
    nobody may guess without end; each process then grants the attempts all of them would.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        own = {name: value for name, value in params.items() if name != "OPTIONS"}
        self._own = LocMemCache("steady", own)
        self._away_until = 0.0

    def _steadily(self, name: str, *said: Any, **options: Any) -> Any:
        if time.monotonic() >= self._away_until:
            try:
                return getattr(super(), name)(*said, **options)
            except RedisError as error:
                self._away_until = time.monotonic() + REST
                log.warning("the cache is away, each process keeps its own: %s", error)
        return getattr(self._own, name)(*said, **options)


def _steady(name: str) -> Callable[..., Any]:
    def ask(self: SteadyCache, *said: Any, **options: Any) -> Any:
        return self._steadily(name, *said, **options)

    ask.__doc__ = f"Do as `{name}` of any cache, whether Redis is there or not."
    return ask


# those by which a cache reaches its store: the others are made of them
for operation in ("add", "get", "set", "touch", "delete", "get_many", "has_key", "incr"):
    setattr(SteadyCache, operation, _steady(operation))
for operation in ("set_many", "delete_many", "clear"):
    setattr(SteadyCache, operation, _steady(operation))
