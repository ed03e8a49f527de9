"""A `Connection` on an asyncio transport: one write per loop turn, back-pressure, signs of life."""

import asyncio
import random
import ssl
from typing import Final, Protocol, cast

from .connection import Connection
from .streams import CLOSED
from .tls import Tls, salvage

_WRITE_BUFFER: Final = 1 << 18
_PATIENCE: Final = 1.0  # for a peer to read our last words


class Keeper(Protocol):
    """Whoever keeps a link: it is told when something has moved, and when the link is gone."""

    def turned(self, link: "Link") -> None:
        """Look at what the link's connection has settled, and give it more to do."""

    def ended(self, link: "Link", reason: str) -> None:
        """Let go of a link that has lost its transport; told once."""

    def unreachable(self, reason: str) -> None:
        """Take note that an attempt to connect has failed."""


class Link(asyncio.Protocol):
    """One living connection.

    `ready` ends when the server's SETTINGS are there, or with the reason they never came.
    """

    def __init__(
        self, core: Connection, tls: Tls, keeper: Keeper, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.core = core
        self._tls = tls
        self.ready: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.opened_at = self._heard_at = self._busy_since = loop.time()
        # jitter only: workers started together should not reconnect together
        self._retire_at = self.opened_at + core.policy.max_age * random.uniform(0.9, 1)  # noqa: S311
        self._keeper = keeper
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._last_call: asyncio.TimerHandle | None = None
        self._pinged_at = 0.0
        self._paused_at = 0.0
        self._flushing = False
        self._probing = False
        self.pings_lost = 0
        self.farewell = False
        """Whether a GOAWAY has been taken into account."""
        self.judged = False
        """Whether the backoff has taken its end into account."""

    @property
    def room(self) -> int:
        """How many requests could be started this moment."""
        return 0 if self._paused_at or self._probing else self.core.room

    @property
    def full(self) -> bool:
        """True where another connection would help."""
        return not (self._paused_at or self._probing) and self.core.full

    @property
    def busy(self) -> bool:
        """True while a deadline is running here."""
        return bool(self.core.in_flight or self._pinged_at)

    @property
    def usable(self) -> bool:
        """True while new requests may still come here, now or soon."""
        return not (self.core.draining or self.core.dead)

    def worn(self, now: float) -> bool:
        """Tell whether it is time for a successor."""
        return now >= self._retire_at or self.core.started * 10 >= self.core.policy.max_requests * 8

    def probe(self, now: float) -> None:
        """Before the first request after a long silence, make sure somebody is still there."""
        if self.core.in_flight or self._probing:
            return
        if now - self._heard_at >= self.core.policy.probe_after:
            self._ping(now)
        else:
            self._busy_since = now

    def check(self, now: float) -> None:
        """Act on whatever has become overdue."""
        policy, core = self.core.policy, self.core
        core.expire(now)
        quiet = now - max(self._heard_at, self._busy_since)
        if self._pinged_at:
            if now - self._pinged_at >= policy.ping_timeout:
                self.pings_lost += 1
                self.abort("no answer to PING")
        elif self._paused_at and now - self._paused_at >= policy.request_timeout:
            self.abort("the server stopped reading")
        elif quiet >= (policy.ping_idle if core.in_flight else policy.ping_unused):
            self._ping(now)

    def flush_soon(self) -> None:
        """Write at the end of this loop turn whatever has come together by then."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Say goodbye and hang up; what is still in flight is settled as uncertain."""
        self.core.close()
        self._flush()

    def abort(self, reason: str) -> None:
        """Hang up without another word."""
        self.core.lost(reason)
        if self._transport is not None:
            self._transport.abort()
        self._end(reason)

    # -- asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        self._tls.shake_hands()
        self._transport.write(self._tls.output())

    def data_received(self, data: bytes) -> None:
        """Hand on what was read; whatever it brings about is written in one go."""
        self._heard_at = self._loop.time()
        self._pinged_at, self._probing = 0.0, False
        self._take(data)
        if self.core.ready and not self.ready.done():
            self.ready.set_result(None)
        self._keeper.turned(self)

    def pause_writing(self) -> None:
        """Stop starting requests: the server, or the road to it, is slower than we are."""
        self._paused_at = self._loop.time()

    def resume_writing(self) -> None:
        """Go on."""
        self._paused_at = 0.0
        self._keeper.turned(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle what can no longer be answered."""
        if self._last_call is not None:
            self._last_call.cancel()
        if self._transport is not None and not self.core.dead:
            for data in salvage(self._transport.get_extra_info("socket")):
                self._take(data)
        self.core.lost(self._ending(exc))
        self._end(self.core.dead)

    def _ending(self, exc: Exception | None) -> str:
        how = f"connection lost: {exc}" if exc else "connection closed by the server"
        return f"{self.core.goaway}; {how}" if self.core.goaway else how

    def _take(self, data: bytes) -> None:
        try:
            if not self._tls.established:
                self._greet(data)
                data = b""
            if self._tls.established:
                self.core.receive(self._tls.open(data))
            if self._tls.ended:
                self._fail(self._ending(None))
        except ssl.SSLError as error:
            self._fail(f"TLS: {error}")

    def _greet(self, data: bytes) -> None:
        """Go on with the handshake, and begin to speak once both have agreed to HTTP/2."""
        self._tls.shake_hands(data)
        if self._tls.established and not self._tls.speaks_http2:
            self._fail("the server does not speak HTTP/2 (ALPN)")
        self.flush_soon()

    def _fail(self, reason: str) -> None:
        """Give up on a server that cannot be talked to, alert included."""
        self.core.lost(reason)
        self.flush_soon()

    def _ping(self, now: float) -> None:
        """Ask for a sign of life, and start nothing more until there is one."""
        self._pinged_at, self._probing = now, True
        self.core.ping()
        self.flush_soon()

    def _flush(self) -> None:
        self._flushing = False
        transport = self._transport
        if transport is None or (self._paused_at and not self.core.done):
            return
        if self.core.done:
            self.core.close(reason=str(self.core.goaway or CLOSED))
        if self._tls.established:
            self._seal(self.core.take_output(self._loop.time()))
        if self.core.dead:
            self._hang_up(transport)
        elif sealed := self._tls.output():
            transport.write(sealed)

    def _seal(self, data: bytes) -> None:
        try:
            if data:
                self._tls.seal(data)
        except ssl.SSLError as error:
            self.core.lost(f"TLS: {error}")

    def _hang_up(self, transport: asyncio.Transport) -> None:
        """Write what is left to say and close; a peer that does not read is not waited for."""
        if transport.is_closing():
            return
        if self._tls.established:
            self._tls.say_goodbye()
        transport.write(self._tls.output())
        transport.close()
        self._last_call = self._loop.call_later(_PATIENCE, transport.abort)

    def _end(self, reason: str) -> None:
        if self.closed.done():
            return
        self.closed.set_result(None)
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(reason))
            self.ready.exception()  # nobody may be waiting for it
        self._keeper.ended(self, reason)
