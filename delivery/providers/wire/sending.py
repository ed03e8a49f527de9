"""One call of `Pool.send`: what is still to be started, and what has come back."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from .connection import Connection
from .exchange import Request, Result, Ticket, Unsent


class Sending:
    """The caller's sequence, a place in it, and results nobody has fetched yet."""

    def __init__(self, requests: Sequence[Request], now: float) -> None:
        self.arrived: list[tuple[Any, Result]] = []
        self.began_at = now
        self.moved_at = now
        """When one of its requests was last started; what its queue deadline counts from."""
        self.abandoned = False
        self._requests = requests
        self._at = 0
        self._again: deque[Ticket] = deque()
        self._waiter: asyncio.Future[None] | None = None

    @property
    def exhausted(self) -> bool:
        """True when nothing waits to be started."""
        return self._at >= len(self._requests) and not self._again

    def feed(self, core: Connection, most: int) -> int:
        """Start up to so many requests, those that came back first; return how many."""
        started = 0
        while self._again and started < most and core.start(self._again[0]):
            self._again.popleft()
            started += 1
        if self._again:
            return started
        requests, at, start = self._requests, self._at, core.start
        stop = min(at + most - started, len(requests))
        while at < stop and start((requests[at], self, 0)):
            at += 1
        started += at - self._at
        self._at = at
        return started

    def put_back(self, ticket: Ticket) -> None:
        """Take back a request the server did not process, to be started before the rest."""
        self._again.append((ticket[0], self, ticket[2] + 1))

    def settle(self, request: Request, result: Result) -> None:
        """Give one result to the caller."""
        self.arrived.append((request.tag, result))
        self.wake()

    def give_up(self, reason: str) -> None:
        """Report everything not started yet as unsent."""
        unsent = Unsent(reason)
        left = [ticket[0] for ticket in self._again]
        left += self._requests[self._at :]
        self._again.clear()
        self._at = len(self._requests)
        self.arrived += [(request.tag, unsent) for request in left]
        self.wake()

    def wake(self) -> None:
        """Let the caller fetch what has arrived."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def take(self) -> list[tuple[Any, Result]]:
        """Return what has arrived, waiting until something has."""
        while not self.arrived:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        arrived, self.arrived = self.arrived, []
        return arrived
