"""Routes that pages of any origin may call: the key in each request is what guards them."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase

View = Callable[..., HttpResponseBase]


def preflight_headers(*headers: str) -> Mapping[str, str]:
    """Give what a browser is told that asks before it sends; `headers` are those it may send.

    They are named one by one: `*` does not cover Authorization (Fetch standard, CORS-safelisting).
    """
    return {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
        "Access-Control-Allow-Headers": ", ".join(headers),
        "Access-Control-Max-Age": "7200",
    }


def open_to_browsers(response: HttpResponseBase, *, exposed: str = "") -> HttpResponseBase:
    """Let pages of any origin read an answer, and those of its headers named in `exposed`."""
    response["Access-Control-Allow-Origin"] = "*"
    if exposed:
        response["Access-Control-Expose-Headers"] = exposed
    return response


def cross_origin(view: View, *, preflight: Mapping[str, str], exposed: str = "") -> View:
    """Give a view that also answers browsers' preflights, which carry no credentials."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers=preflight)
        return open_to_browsers(view(request, *args, **kwargs), exposed=exposed)

    return answer
