"""How the simulator should misbehave: the script, and orders to living connections."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

from simulator.action import goaway_of
from simulator.control.access import body_of, simulator_of
from simulator.script import Script
from simulator.settings import ApnsSettings, FcmSettings, Unfit, amended

if TYPE_CHECKING:
    from simulator.simulator import Simulator

ORDERS = {"goaway", "stall", "disconnect"}
routes = web.RouteTableDef()


@routes.get("/script")
async def show(request: web.Request) -> web.Response:
    """Return the settings and rules in force, with how often each rule acted."""
    return _shown(simulator_of(request))


@routes.put("/script")
async def replace(request: web.Request) -> web.Response:
    """Replace rules and settings."""
    simulator, document = simulator_of(request), await body_of(request)
    return _follow(simulator, document, Script(), (ApnsSettings(), FcmSettings()))


@routes.post("/script")
async def append(request: web.Request) -> web.Response:
    """Append rules and amend settings."""
    simulator, document = simulator_of(request), await body_of(request)
    world = simulator.world
    return _follow(simulator, document, world.script, (world.apns, world.fcm))


@routes.delete("/script")
async def behave(request: web.Request) -> web.Response:
    """Forget every rule and setting."""
    return _follow(simulator_of(request), {}, Script(), (ApnsSettings(), FcmSettings()))


@routes.get("/connections")
async def connections(request: web.Request) -> web.Response:
    """Return the living connections."""
    living = [
        {"provider": name, "number": number, "http": connection.peer.http}
        for name, listener in simulator_of(request).listeners.items()
        for number, connection in listener.connections.items()
    ]
    return web.json_response({"connections": living})


@routes.post("/connections")
async def order(request: web.Request) -> web.Response:
    """Make living connections leave, stall or disconnect at once."""
    document = await body_of(request)
    action, number = document.get("action"), document.get("number")
    if action not in ORDERS:
        raise Unfit(f"action must be one of {sorted(ORDERS)}")
    goaway = goaway_of(document.get("goaway", {}))
    done = sum(
        listener.order(action, goaway, number)
        for name, listener in simulator_of(request).listeners.items()
        if document.get("provider", name) == name
    )
    return web.json_response({"connections": done})


def _follow(
    simulator: "Simulator",
    document: dict[str, Any],
    script: Script,
    settings: tuple[ApnsSettings, FcmSettings],
) -> web.Response:
    """Put a script in force, all of it or nothing."""
    if not document.keys() <= {"rules", "settings"}:
        raise Unfit("a script has rules and settings")
    changes = document.get("settings", {})
    if not isinstance(changes, dict) or not changes.keys() <= {"apns", "fcm"}:
        raise Unfit("settings has apns and fcm")
    apns = amended(settings[0], changes.get("apns", {}))
    fcm = amended(settings[1], changes.get("fcm", {}))
    script.add(document.get("rules", []))
    world = simulator.world
    world.script, world.apns, world.fcm = script, apns, fcm
    for listener in simulator.listeners.values():
        listener.apply_limits()
    return _shown(simulator)


def _shown(simulator: "Simulator") -> web.Response:
    world = simulator.world
    return web.json_response(
        {
            "settings": {"apns": asdict(world.apns), "fcm": asdict(world.fcm)},
            "rules": [rule.as_json() for rule in world.script],
        }
    )
