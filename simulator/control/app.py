"""The control API: plain HTTP and JSON for tests, scripts and the page with the phones."""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from simulator.control import evidence, names, page, phones, rules, stream
from simulator.control.access import SIMULATOR
from simulator.settings import Unfit

if TYPE_CHECKING:
    from simulator.simulator import Simulator

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY = 64 * 1024 * 1024  # a script may name a hundred thousand tokens


def control_app(simulator: "Simulator") -> web.Application:
    """Return the control API of this simulator."""
    app = web.Application(middlewares=[refusals], client_max_size=MAX_BODY)
    app[SIMULATOR] = simulator
    for part in (evidence, names, page, phones, rules, stream):
        app.add_routes(part.routes)
    return app


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into JSON, and pages from elsewhere away."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return web.json_response({"error": "another page may not control this"}, status=403)
    try:
        return await handler(request)
    except Unfit as refusal:
        return web.json_response({"error": str(refusal)}, status=400)
    except json.JSONDecodeError as error:
        return web.json_response({"error": f"not JSON: {error}"}, status=400)
