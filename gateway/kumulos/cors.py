"""Device routes, reached from web pages of other origins (the web SDK; contracts/kumulos §2.0)."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase

DEVICE_PREFIXES = ("/v1/app-installs/", "/v1/channels", "/v1/users/", "/v1/web/")

ALLOWED = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    # named one by one: `*` does not cover Authorization (Fetch standard, CORS-safelisting)
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Accept",
    "Access-Control-Max-Age": "7200",
}

View = Callable[..., HttpResponseBase]


def is_device_path(path: str) -> bool:
    """Say whether a path belongs to devices, known to us or not."""
    return path.startswith(DEVICE_PREFIXES)


def open_to_browsers(response: HttpResponseBase) -> HttpResponseBase:
    """Let pages of any origin read an answer; the key in each request is what guards it."""
    response["Access-Control-Allow-Origin"] = "*"
    return response


def cross_origin(view: View) -> View:
    """Give a view that answers browsers' preflights, which carry no credentials."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers=ALLOWED)
        return open_to_browsers(view(request, *args, **kwargs))

    return answer
