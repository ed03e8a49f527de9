"""Simulated phones over the control API."""

from aiohttp import web

from simulator.control.access import body_of, simulator_of, whole
from simulator.phones.order import order_of
from simulator.phones.phone import Notice, Phone
from simulator.settings import Unfit

LONGEST_WAIT = 120.0
routes = web.RouteTableDef()


@routes.post("/phones")
async def make(request: web.Request) -> web.Response:
    """Make phones to order; with `wait_s`, return once they have registered."""
    document = await body_of(request)
    wait = document.pop("wait_s", 0)
    if not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_WAIT:
        raise Unfit(f"wait_s is between 0 and {LONGEST_WAIT:.0f}")
    book = simulator_of(request).phones
    made = book.make(order_of(document))
    registered = await book.settled(made, wait)
    listed = [
        {
            "id": phone.number,
            "install_id": phone.install_id,
            "token": phone.token,
            "user": phone.user,
        }
        for phone in made
    ]
    return web.json_response({"phones": listed, "registered": registered}, status=201)


@routes.get("/phones")
async def listed(request: web.Request) -> web.Response:
    """Return some phones, oldest first."""
    book = simulator_of(request).phones
    return web.json_response(book.as_json(whole(request, "from", 0), whole(request, "limit", 100)))


@routes.delete("/phones")
async def clear(request: web.Request) -> web.Response:
    """Throw every phone away."""
    await simulator_of(request).phones.clear()
    return web.json_response({"ok": True})


@routes.post(r"/phones/{kind:tap|dismiss}")
async def touch_many(request: web.Request) -> web.Response:
    """Tap or dismiss on many phones."""
    document = await body_of(request)
    fraction, count = document.get("fraction"), document.get("count")
    if fraction is None and count is None:
        fraction = 1.0
    if fraction is not None and not (isinstance(fraction, int | float) and 0 <= fraction <= 1):
        raise Unfit("fraction is between 0 and 1")
    if count is not None and (type(count) is not int or count < 0):
        raise Unfit("count is a whole number")
    tapped = request.match_info["kind"] == "tap"
    number = document.get("notification_id")
    touched = simulator_of(request).phones.touch_many(number, fraction, count, tapped=tapped)
    return web.json_response({"touched": touched})


@routes.get(r"/phones/{id:\d+}")
async def show(request: web.Request) -> web.Response:
    """Return one phone."""
    return web.json_response(_phone(request).as_json())


@routes.post(r"/phones/{id:\d+}/pushes/{n:\d+}/{kind:tap|dismiss}")
async def touch(request: web.Request) -> web.Response:
    """Tap or dismiss one push; doing so again changes nothing."""
    phone = _phone(request)
    notice = _notice(phone, int(request.match_info["n"]))
    tapped = request.match_info["kind"] == "tap"
    changed = simulator_of(request).phones.touch(phone, notice, tapped=tapped)
    return web.json_response({"changed": changed, "push": notice.as_json()})


def _phone(request: web.Request) -> Phone:
    phone = simulator_of(request).phones.phones.get(int(request.match_info["id"]))
    if phone is None:
        raise web.HTTPNotFound(text='{"error": "no such phone"}', content_type="application/json")
    return phone


def _notice(phone: Phone, number: int) -> Notice:
    notice = phone.notice(number)
    if notice is None:
        raise web.HTTPNotFound(text='{"error": "no such push"}', content_type="application/json")
    return notice
