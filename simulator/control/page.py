"""The page with the phones: three static files under a strict policy."""

from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).parent / "static"
TYPES = {"phones.css": "text/css", "phones.js": "text/javascript", "icon.svg": "image/svg+xml"}
# pictures are the one thing a push may bring from elsewhere
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
routes = web.RouteTableDef()


@routes.get("/")
@routes.get("/phones/page")
async def page(_request: web.Request) -> web.Response:
    """Return the page."""
    text = (STATIC / "phones.html").read_text()
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=HEADERS)


@routes.get("/static/{name}")
async def static(request: web.Request) -> web.Response:
    """Return one of its files."""
    name = request.match_info["name"]
    if name not in TYPES:
        raise web.HTTPNotFound
    text = (STATIC / name).read_text()
    return web.Response(text=text, content_type=TYPES[name], charset="utf-8", headers=HEADERS)
