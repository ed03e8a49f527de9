"""Several connections to one endpoint; requests in, exactly one result for each out."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, cast

from .connection import Connection
from .exchange import GoAway, Request, Result, Unsent
from .fleet import Fleet
from .policy import Endpoint, Policy
from .protocol import Link
from .sending import Sending
from .stats import Stats

_HANG_UP = 1.0


class Pool:
    """Connections to one endpoint, opened when there is need and kept as long as they are good.

    Belongs to the event loop it is first used in. `on_goaway` is called with the server's words
    whenever it ends a connection; what it raises goes to the loop's exception handler.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        policy: Policy | None = None,
        want_headers: bool = False,
        on_goaway: Callable[[GoAway], object] | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self._fleet = Fleet(
            endpoint, self.policy, self, want_headers=want_headers, on_goaway=on_goaway
        )
        self._sends: set[Sending] = set()
        self._queue: deque[Sending] = deque()  # those with requests to start, next in turn first
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._closed = False
        self._quiet: asyncio.Future[None] | None = None

    async def send(
        self, requests: Sequence[Request]
    ) -> AsyncGenerator[list[tuple[Any, Result]], None]:
        """Yield `(tag, result)` lists as answers arrive: exactly one result for each request.

        Requests start in order, answers come in any. Stopping early is safe: what was not written
        is dropped, what was is cancelled with the server. Raises nothing of its own.
        """
        left = len(requests)
        sending = self._enqueue(requests)
        try:
            while left:
                batch = await sending.take()
                left -= len(batch)
                yield batch
        finally:
            self._finish(sending, abandoned=left > 0)

    @property
    def stats(self) -> Stats:
        """How the pool is doing now."""
        tally, links = self._fleet.tally, self._fleet.links
        return Stats(
            connections=len(links),
            in_flight=sum(link.core.in_flight for link in links),
            sends=len(self._sends),
            opened=tally.opened,
            failed=tally.failed,
            refused=self._fleet.refused,
            goaways=tally.goaways,
            pings_lost=tally.pings_lost,
            resent_unsent=tally.resent_unsent,
            last_goaway=tally.last_goaway,
            last_failure=tally.last_failure,
        )

    def renew(self) -> None:
        """Use new connections from now on; the present ones finish what is in flight.

        APNs binds a connection to the key it began with, so a changed key needs this.
        """
        self._fleet.retire_all()

    async def drain(self, patience: float) -> None:
        """Take no more sends, let those under way finish for so long, and close."""
        self._closed = True
        try:
            async with asyncio.timeout(patience):
                while self._sends:
                    self._quiet = asyncio.get_running_loop().create_future()
                    await self._quiet
        except TimeoutError:
            pass
        await self.close()

    async def close(self) -> None:
        """Hang up now: what waits is unsent, what is in flight uncertain."""
        self._closed = True
        self._give_up("pool closed")
        await self._fleet.close(_HANG_UP)
        self._give_up("pool closed")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- the fleet calls these

    def turned(self, link: Link) -> None:
        """Hand on what a link has settled and fill the room that made."""
        if link not in self._fleet.links:  # not admitted yet, or gone
            link.flush_soon()
            return
        now = asyncio.get_running_loop().time()
        self._collect(link, now)
        if self._queue:
            self._pump(link, now)
        if self._queue:
            self._distribute(now)
        elif link.worn(now):
            self._fleet.ensure(now, demand=False)
        link.flush_soon()

    def ended(self, link: Link, reason: str) -> None:
        """Settle what a lost link held, and go on without it."""
        if link in self._fleet.links:
            now = asyncio.get_running_loop().time()
            self._collect(link, now)
            self._fleet.drop(link, reason, now)
            self.unreachable(reason)
            self._distribute(now)

    def unreachable(self, reason: str) -> None:
        """Stop keeping requests waiting for a server that will not have us."""
        if self._fleet.hopeless:
            self._give_up(reason)

    def _enqueue(self, requests: Sequence[Request]) -> Sending:
        now = asyncio.get_running_loop().time()
        sending = Sending(requests, now)
        self._sends.add(sending)
        if self._closed:
            sending.give_up("pool closed")
        elif requests:
            self._queue.append(sending)
            self._distribute(now)
            self._arm(now)
        return sending

    def _finish(self, sending: Sending, *, abandoned: bool) -> None:
        self._sends.discard(sending)
        if abandoned:
            sending.abandoned = True
            if sending in self._queue:
                self._queue.remove(sending)
            for link in list(self._fleet.links):
                link.core.abandon(sending)
                self.turned(link)
        if not self._sends and self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)

    def _distribute(self, now: float) -> None:
        """Fill every link there is, then see whether there should be more."""
        for link in self._fleet.links:
            if not self._queue:
                return
            self._pump(link, now)
            link.flush_soon()
        if self._queue:
            self._fleet.ensure(now, demand=True)

    def _pump(self, link: Link, now: float) -> None:
        """Start what fits on one link, in equal shares from everyone who has requests waiting."""
        link.probe(now)
        room, queue = link.room, self._queue
        while room > 0 and queue:
            sending = queue[0]
            share = max(1, room // len(queue))
            started = sending.feed(link.core, share)
            if started:
                sending.moved_at = now
                room -= started
            if sending.exhausted:
                queue.popleft()
            elif started < share:  # no window left
                return
            else:
                queue.rotate(-1)

    def _reroute(self, core: Connection) -> None:
        """Queue again what a server provably did not process, as often as the policy allows."""
        for ticket, reason in core.take_returned():
            sending = cast("Sending", ticket[1])
            if sending.abandoned:
                continue
            if ticket[2] >= self.policy.max_resend or self._closed:
                sending.settle(ticket[0], Unsent(reason))
                continue
            self._fleet.tally.resent_unsent += 1
            if sending.exhausted:
                self._queue.appendleft(sending)
            sending.put_back(ticket)

    def _collect(self, link: Link, now: float) -> None:
        """Pass on what a link has settled, and take back what it has not."""
        core = link.core
        for recipient in core.take_touched():
            recipient.wake()
        self._reroute(core)
        if core.goaway is not None or core.spurned:
            self._fleet.inspect(link, now)

    def _overdue(self, sending: Sending, now: float) -> bool:
        waited, lasted = now - sending.moved_at, now - sending.began_at
        return waited >= self.policy.queue_timeout or lasted >= self.policy.send_timeout

    def _give_up(self, reason: str) -> None:
        while self._queue:
            self._queue.popleft().give_up(reason)

    def _arm(self, now: float) -> None:
        """Look at deadlines again soon, or, with nothing under way, before long."""
        busy = bool(self._queue) or self._fleet.busy
        due = now + (self.policy.tick if busy else self.policy.idle_tick)
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due
        self._timer = asyncio.get_running_loop().call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for link in list(self._fleet.links):
            link.check(now)
            self.turned(link)
        for sending in [s for s in self._queue if self._overdue(s, now)]:
            self._queue.remove(sending)
            sending.give_up(self._fleet.tally.last_failure or "no connection had room in time")
        self._fleet.ensure(now, demand=bool(self._queue))
        if self._queue or self._fleet.busy or self._fleet.links:
            self._arm(now)
