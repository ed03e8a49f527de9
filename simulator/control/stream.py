"""What happens on the phones, live, as server-sent events."""

import asyncio
import json
import time
from typing import Any

from aiohttp import web

from simulator.control.access import simulator_of
from simulator.phones.book import PhoneBook

SHOWN = 60  # phones a page draws; the rest is only counted
TICK = 0.2
HEARTBEAT = 10.0
routes = web.RouteTableDef()


@routes.get("/phones/stream")
async def stream(request: web.Request) -> web.StreamResponse:
    """Send the first phones, then whatever changes, in small steps."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    await response.prepare(request)
    book = simulator_of(request).phones
    view = View(book)
    spoken_at = time.monotonic()
    while True:
        update = view.update()
        if update is not None:
            await response.write(f"data: {json.dumps(update)}\n\n".encode())
            spoken_at = time.monotonic()
        elif time.monotonic() - spoken_at > HEARTBEAT:
            await response.write(b": still here\n\n")
            spoken_at = time.monotonic()
        await asyncio.sleep(TICK)


class View:
    """What one page has been told so far."""

    def __init__(self, book: PhoneBook) -> None:
        self.book = book
        self.version = self.epoch = -1
        self.counts: dict[str, int] = {}

    def update(self) -> dict[str, Any] | None:
        """Return what is new since the last call, or nothing."""
        book, counts = self.book, self.book.counts()
        if book.version == self.version and counts == self.counts:
            return None
        fresh = book.epoch != self.epoch
        since = -1 if fresh else self.version
        first = [phone for _, phone in zip(range(SHOWN), book.phones.values(), strict=False)]
        changed = [phone.as_json() for phone in first if phone.version > since]
        self.version, self.epoch, self.counts = book.version, book.epoch, counts
        return {"fresh": fresh, "counts": counts, "shown": len(first), "phones": changed}
