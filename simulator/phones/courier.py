"""Carries events from phones to their gateways: in batches, in order, again if need be."""

import asyncio
import random
from itertools import islice
from urllib.parse import quote

import aiohttp

from simulator.phones.phone import Phone

BATCH = 100
PORTERS = 16
GATHER = 0.1  # events of one moment leave together
TIMEOUT = aiohttp.ClientTimeout(total=10)
FIRST_RETRY, LAST_RETRY = 0.5, 30.0


class Courier:
    """A few porters for any number of phones; one post per phone at a time."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Phone] = asyncio.Queue()
        self.queued: set[Phone] = set()
        self.porters: list[asyncio.Task[None]] = []
        self.session: aiohttp.ClientSession | None = None
        self.posted = 0
        self.news = asyncio.Event()

    async def start(self) -> None:
        """Hire the porters."""
        connector = aiohttp.TCPConnector(limit=PORTERS)
        self.session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT)
        self.porters = [asyncio.create_task(self._carry()) for _ in range(PORTERS)]

    async def stop(self) -> None:
        """Send the porters home, with whatever is left undelivered."""
        for porter in self.porters:
            porter.cancel()
        await asyncio.gather(*self.porters, return_exceptions=True)
        if self.session is not None:
            await self.session.close()

    async def next_post(self) -> None:
        """Wait until some phone has reported something."""
        await self.news.wait()

    def ring(self, phone: Phone, after: float = GATHER) -> None:
        """Have this phone's events fetched soon."""
        if phone.outbox and phone not in self.queued:
            self.queued.add(phone)
            asyncio.get_running_loop().call_later(after, self.queue.put_nowait, phone)

    def forget(self) -> None:
        """Drop every errand."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queued.clear()

    async def _carry(self) -> None:
        while True:
            phone = await self.queue.get()
            error = await self._post(phone) if phone.outbox else None
            self.queued.discard(phone)
            phone.last_error = error
            if error is None:
                phone.failures = 0
                self.ring(phone, 0)
            else:
                phone.failures += 1
                wait = min(LAST_RETRY, FIRST_RETRY * 2 ** min(phone.failures - 1, 10))
                self.ring(phone, wait * random.uniform(0.8, 1.2))  # noqa: S311  # jitter

    async def _post(self, phone: Phone) -> str | None:
        """Post the oldest events of a phone; return what went wrong."""
        assert self.session is not None
        events = list(islice(phone.outbox, BATCH))
        url = f"{phone.gateway}/v1/app-installs/{quote(phone.install_id, safe='')}/events"
        keys = aiohttp.BasicAuth(phone.api_key, phone.secret_key)
        try:
            async with self.session.post(url, json=events, auth=keys) as answer:
                if not 200 <= answer.status < 300:
                    return f"{answer.status} {(await answer.text(errors='replace'))[:200]}"
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        sent = {event["uuid"] for event in events}
        while phone.outbox and phone.outbox[0]["uuid"] in sent:
            phone.outbox.popleft()
        if any(event["type"] == "k.push.deviceRegistered" for event in events):
            phone.registered = True
        self.posted += len(events)
        self.news.set()
        self.news = asyncio.Event()  # whoever waits from now on waits for the next one
        return None
