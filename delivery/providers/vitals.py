"""How connections to providers are, looked at once a second: sending is not asked to count."""

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable
from weakref import WeakKeyDictionary

from delivery import metrics
from delivery.providers import runtime
from delivery.providers.wire import Stats

EVERY = 1.0


@runtime_checkable
class Connected(Protocol):
    """An adapter that knows how its connections are."""

    def stats(self) -> Sequence[Stats]:
        """Give a moment of each of its pools, in an order that does not change; on the loop."""
        ...


class Vitals:
    """The adapters of one process, those on their way out included, and what is known of each."""

    def __init__(self) -> None:
        self._pid = 0
        self._lock = threading.Lock()
        self._names: WeakKeyDictionary[Connected, str] = WeakKeyDictionary()
        self._seen: WeakKeyDictionary[Connected, list[Stats]] = WeakKeyDictionary()

    def begin(self) -> None:
        """Have this process look from now on; those that do not serve metrics need not."""
        self._pid = os.getpid()
        self._looking = False

    def watch(self, name: str, adapter: object) -> None:
        """Look after an adapter of the provider `name` for as long as it lives."""
        if self._pid != os.getpid() or not isinstance(adapter, Connected):
            return
        with self._lock:
            self._names[adapter] = name
            looking, self._looking = self._looking, True
        if not looking:
            runtime.current().start(self._look_on())

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self.look()

    def look(self) -> None:
        """Set what is and count what has happened since the last time; on the loop."""
        with self._lock:
            adapters = list(self._names.items())
        sums = dict.fromkeys(metrics.PROVIDERS, (0, 0))
        for adapter, name in adapters:
            now = list(adapter.stats())
            count(name, self._seen.get(adapter, []), now)
            self._seen[adapter] = now
            streams, connections = sums.get(name, (0, 0))
            sums[name] = (
                streams + sum(pool.in_flight for pool in now),
                connections + sum(pool.connections for pool in now),
            )
        for name, (streams, connections) in sums.items():
            metrics.STREAMS.labels(name).set(streams)
            metrics.CONNECTIONS.labels(name).set(connections)


def count(name: str, before: Sequence[Stats], now: Sequence[Stats]) -> None:
    """Count what happened to some pools between two moments; there may be more of them now."""
    for event in metrics.EVENTS:
        rise = sum(_each(now, event)) - sum(_each(before, event))
        if rise > 0:
            metrics.CONNECTION_EVENTS.labels(name, event).inc(rise)


def _each(pools: Sequence[Stats], event: str) -> Iterator[int]:
    return (getattr(pool, event) for pool in pools)


vitals = Vitals()
"""The one of this process."""
