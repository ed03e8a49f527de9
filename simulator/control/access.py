"""What every control route needs: the simulator, the body, numbers from the query."""

from typing import TYPE_CHECKING, Any

from aiohttp import web

from simulator.settings import Unfit

if TYPE_CHECKING:
    from simulator.simulator import Simulator

SIMULATOR: "web.AppKey[Simulator]" = web.AppKey("simulator")


def simulator_of(request: web.Request) -> "Simulator":
    """Return the simulator behind the request."""
    return request.app[SIMULATOR]


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return the body, which is an object, or empty."""
    document = await request.json() if await request.read() else {}
    if not isinstance(document, dict):
        raise Unfit("the body must be an object")
    return document


def whole(request: web.Request, name: str, default: int) -> int:
    """Return a whole number from the query."""
    value = request.query.get(name, str(default))
    if not value.isascii() or not value.isdigit():
        raise Unfit(f"{name} must be a whole number")
    return int(value)
