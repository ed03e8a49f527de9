"""What the simulator received."""

from typing import Any

from aiohttp import web

from simulator.control.access import simulator_of, whole

routes = web.RouteTableDef()


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    """Say that all is well, and where everything is."""
    return web.json_response({"ok": True, **simulator_of(request).facts})


@routes.get("/received")
async def received(request: web.Request) -> web.Response:
    """Return records in full, oldest first."""
    records = simulator_of(request).world.ledger.select(
        provider=request.query.get("provider"),
        token=request.query.get("token"),
        since=whole(request, "since", 0),
        limit=whole(request, "limit", 1000),
    )
    return web.json_response({"records": [record.as_json() for record in records]})


@routes.get("/received/summary")
async def summary(request: web.Request) -> web.Response:
    """Return counts only."""
    simulator = simulator_of(request)
    document: dict[str, Any] = simulator.world.ledger.summary()
    document["traffic"] = {
        name: listener.traffic.as_json() for name, listener in simulator.listeners.items()
    }
    return web.json_response(document)


@routes.delete("/received")
async def forget(request: web.Request) -> web.Response:
    """Forget records and counts."""
    simulator = simulator_of(request)
    simulator.world.ledger.clear()
    for listener in simulator.listeners.values():
        listener.traffic.reset()
    return web.json_response({"ok": True})


@routes.post("/reset")
async def reset(request: web.Request) -> web.Response:
    """Return to the state right after the start."""
    await simulator_of(request).reset()
    return web.json_response({"ok": True})
