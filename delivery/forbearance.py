"""A broker that has just failed is left alone for a while: whoever asks it waits for seconds."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from time import monotonic

from redis import Redis, RedisError

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds any answer of the broker may take."""

REST = 5.0
"""Seconds nobody asks a broker that has just failed to answer."""


class Forbearing:
    """Asks the broker, and goes without where it does not answer, as `instead` says."""

    def __init__(self, *, instead: str) -> None:
        self._rests_until = 0.0
        self._instead = instead

    @contextmanager
    def _unless_it_rests(self) -> Iterator[bool]:
        """Give whether it is to be left alone; a failure within begins such a rest."""
        try:
            yield monotonic() < self._rests_until
        except RedisError:
            self._rests_until = monotonic() + REST
            log.warning("the broker does not answer; %s", self._instead)


@lru_cache
def store(url: str) -> Redis:
    """Give this process's way to the broker's store, which answers within `PATIENCE` or fails."""
    return Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
