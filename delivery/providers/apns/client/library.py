"""aioapns' own transport, kept within what it can do; a fallback, and an oracle in tests.

As shipped it hangs and resends under ordinary provider behaviour. It does neither with one push at
a time on each client, never cancelled, and the client replaced before its inbound window runs dry.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from aioapns import APNs, NotificationRequest
from aioapns.common import NotificationResult
from aioapns.connection import APNsTLSClientProtocol
from aioapns.exceptions import ConnectionClosed, MaxAttemptsExceeded

from delivery.providers.address import Address
from delivery.providers.apns.access import Access
from delivery.providers.apns.client.vocabulary import Request, Result, aioapns_arguments
from delivery.providers.apns.secret_file import lend_file
from delivery.providers.wire import Uncertain

LANES = 8
"""Pushes under way at once in one batch, each on a client of its own."""

LANE_LIFE = 1000
"""Answers a client gives before it is replaced: it acknowledges no data it receives."""

GLANCE = 0.01
"""Seconds between two looks at whether a connection is gone."""


class Shipped(APNs):
    """aioapns' client with its own transport and one connection, aimed at an address."""

    def __init__(self, access: Access, address: Address, context: ssl.SSLContext) -> None:
        with lend_file(access.certificate_pem) as path:
            super().__init__(
                **aioapns_arguments(access, path, context),
                max_connections=1,
                max_connection_attempts=1,
                err_func=_say_nothing,
            )
        self.pool.protocol_class = type(
            "AddressedProtocol",
            (APNsTLSClientProtocol,),
            {"APNS_SERVER": address.host, "APNS_PORT": address.port},
        )


async def _say_nothing(request: NotificationRequest, result: NotificationResult) -> None:
    """Keep aioapns from logging each answer that is not 200: our caller has the verdict."""


@dataclass(slots=True)
class Lane:
    """One shipped client and what it has done."""

    client: Shipped
    answers: int = 0


class Library:
    """Sends as `Client` does, with aioapns' own connections beneath."""

    def __init__(self, access: Access, address: Address, context: ssl.SSLContext) -> None:
        self.topic = access.topic
        self.generation = 0
        self._open = partial(Shipped, access, address, context)
        self._idle: list[Lane] = []
        self._leaving: list[Lane] = []

    async def send_many(self, requests: Sequence[Request]) -> AsyncGenerator[list[Result], None]:
        """Yield results as answers arrive, one for each request."""
        waiting = iter(requests)
        answers: asyncio.Queue[Result] = asyncio.Queue()
        lanes = [
            asyncio.create_task(self._work(waiting, answers))
            for _ in range(min(LANES, len(requests)))
        ]
        try:
            for _ in requests:
                yield [await answers.get()]
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    def reconnect(self, seen: int) -> None:  # noqa: ARG002 - idle lanes are all there is
        """Use new connections from here on."""
        idle, self._idle = self._idle, []
        for lane in idle:
            self._hang_up(lane)

    async def drain(self, patience: float) -> None:
        """Hang up what is idle, within so long; a batch under way keeps its lanes until it ends."""
        self.reconnect(self.generation)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._still_open():  # noqa: ASYNC110 - aioapns tells nobody when it is gone
                    await asyncio.sleep(GLANCE)

    def _hang_up(self, lane: Lane) -> None:
        lane.client.pool.close()
        self._leaving = [*self._still_open(), lane]

    def _still_open(self) -> list[Lane]:
        return [lane for lane in self._leaving if lane.client.pool.connections]

    async def _work(self, waiting: Iterator[Request], answers: asyncio.Queue[Result]) -> None:
        lane = self._take()
        try:
            for request in waiting:
                result = await _ask(lane.client, request)
                answers.put_nowait(result)
                lane.answers += 1
                if result.failure is not None or lane.answers >= LANE_LIFE:
                    self._hang_up(lane)
                    lane = Lane(self._open())
            self._idle.append(lane)
        except BaseException:
            self._hang_up(lane)  # a push under way was abandoned: the connection is spoiled
            raise

    def _take(self) -> Lane:
        return self._idle.pop() if self._idle else Lane(self._open())


async def _ask(client: Shipped, request: Request) -> Result:
    try:
        said = await client.send_notification(request)
    except (
        MaxAttemptsExceeded,
        ConnectionClosed,
    ) as error:  # it hides whether the push left, so it may have
        return Result(request, "", failure=Uncertain(f"aioapns: {type(error).__name__}"))
    said_reason = said.description or ""
    return Result(request, said.status, said.description, said.timestamp, reason=said_reason)
