"""The connections of one pool: when to open another, when to let one go, when to wait."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from .backoff import Backoff
from .connection import Connection
from .exchange import GoAway
from .policy import Endpoint, Policy
from .protocol import Keeper, Link
from .stats import Tally
from .streams import CLOSED
from .tls import Tls

# A connection that did this much was of use, and its end is no reason to wait with the next.
_USEFUL_ANSWERS = 100
_USEFUL_LIFE = 30.0
# So many refusals with nothing else in flight mean the connection is used up.
_SPURNED = 8


class Fleet:
    """Links to one endpoint. Opens one at a time, and none while a backoff lasts."""

    def __init__(
        self,
        endpoint: Endpoint,
        policy: Policy,
        keeper: Keeper,
        *,
        want_headers: bool,
        on_goaway: Callable[[GoAway], object] | None,
    ) -> None:
        self.links: list[Link] = []
        self.tally = Tally()
        self._endpoint = endpoint
        self._policy = policy
        self._keeper = keeper
        self._want_headers = want_headers
        self._on_goaway = on_goaway
        self._backoff = Backoff(policy)
        self._task: asyncio.Task[None] | None = None
        self._wary = False  # the last to end was cut without a word

    @property
    def opening(self) -> bool:
        """True while an attempt to connect is under way."""
        return self._task is not None

    @property
    def busy(self) -> bool:
        """True while any link has a deadline running."""
        return self.opening or any(link.busy for link in self.links)

    @property
    def hopeless(self) -> bool:
        """True when nothing is connected, and trying has failed often enough to say so."""
        failed = self._backoff.strikes >= self._policy.connect_attempts
        return failed and not any(link.usable for link in self.links)

    def ensure(self, now: float, *, demand: bool) -> None:
        """Open another connection if there is need and leave to.

        With `demand` (requests are waiting) there is need when every usable link is full, until
        there is room for enough. A link that is worn out is retired at once when nobody needs it,
        else when its successor is ready.
        """
        usable = [link for link in self.links if link.usable]
        worn = [link for link in usable if link.worn(now)]
        if worn and not demand and not any(link.core.in_flight for link in usable):
            self._retire(worn)
            return
        fresh = len(usable) - len(worn)
        if demand and fresh < self._policy.max_connections:
            need = bool(worn) or self._short_of_room(usable)
        else:
            need = fresh < (1 if worn else self._policy.min_connections)
        if need and self._task is None and now >= self._backoff.not_before:
            self._task = asyncio.get_running_loop().create_task(self._open())

    def inspect(self, link: Link, now: float) -> None:
        """Judge a link by what has just happened on it."""
        core = link.core
        if core.goaway is not None and not link.farewell:
            link.farewell = True
            self.tally.goaways += 1
            self.tally.last_goaway = core.goaway
            if self._on_goaway is not None:
                asyncio.get_running_loop().call_soon(self._on_goaway, core.goaway)
            self._judge(link, now, failed=core.goaway.code != 0)
        if core.spurned >= _SPURNED and link.usable:
            self._judge(link, now, failed=False)
            self._retire([link])

    def drop(self, link: Link, reason: str, now: float) -> None:
        """Forget a link that has ended."""
        if link in self.links:
            self.links.remove(link)
            self.tally.refused += link.core.refused
            self.tally.pings_lost += link.pings_lost
            self._wary = link.core.goaway is None and link.core.dead != CLOSED
            if not link.judged and link.core.dead != CLOSED:
                self.tally.last_failure = reason
                self._judge(link, now, failed=False)

    def retire_all(self) -> None:
        """Let every connection finish what is in flight; the next request opens a new one."""
        self._retire(self.links)

    @property
    def refused(self) -> int:
        """How many streams were refused, on living links and dead."""
        return self.tally.refused + sum(link.core.refused for link in self.links)

    async def close(self, patience: float) -> None:
        """Hang up everywhere; what is in flight becomes uncertain."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=patience)
        links = list(self.links)
        for link in links:
            link.judged = True
            link.close()
        if links:
            await asyncio.wait([link.closed for link in links], timeout=patience)
        for link in links:
            link.abort(CLOSED)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        link = self._link(loop)
        try:
            async with asyncio.timeout(self._policy.connect_timeout):
                await self._connect(link, loop)
        except (OSError, ValueError) as error:  # ValueError: a name no resolver would take
            self._task = None
            self._fail(link, f"connect: {error or type(error).__name__}", loop.time())
        else:
            self._task = None
            self._admit(link, loop.time())
        finally:
            self._task = None
            if link not in self.links:
                link.abort("not connected")

    def _short_of_room(self, usable: Sequence[Link]) -> bool:
        # of a full link, what fits is what is in flight: its window may be smaller than its streams
        room = sum(link.core.in_flight for link in usable)
        return room < self._policy.max_streams and all(link.full for link in usable)

    def _link(self, loop: asyncio.AbstractEventLoop) -> Link:
        endpoint = self._endpoint
        core = Connection(endpoint.authority, self._policy, want_headers=self._want_headers)
        core.wary = self._wary
        tls = Tls(endpoint.ssl, endpoint.server_name or endpoint.host)
        return Link(core, tls, self._keeper, loop)

    async def _connect(self, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        await loop.create_connection(lambda: link, self._endpoint.host, self._endpoint.port)
        await asyncio.shield(link.ready)
        if link.core.dead:
            raise ConnectionError(link.core.dead)

    def _admit(self, link: Link, now: float) -> None:
        self.tally.opened += 1
        self._retire([worn for worn in self.links if worn.worn(now) and worn.usable][:1])
        self.links.append(link)
        self._keeper.turned(link)

    def _fail(self, link: Link, reason: str, now: float) -> None:
        self.tally.failed += 1
        self.tally.last_failure = reason
        self.inspect(link, now)
        self._judge(link, now, failed=True)
        self._keeper.unreachable(reason)

    def _retire(self, links: Iterable[Link]) -> None:
        for link in links:
            link.judged = True
            link.core.retire()
            link.flush_soon()

    def _judge(self, link: Link, now: float, *, failed: bool) -> None:
        if link.judged:
            return
        link.judged = True
        if failed or not link.core.answered:
            self._backoff.strike(now)
        elif link.core.answered < _USEFUL_ANSWERS and now - link.opened_at < _USEFUL_LIFE:
            self._backoff.pause(now)
        else:
            self._backoff.clear()
