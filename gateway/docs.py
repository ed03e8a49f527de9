"""The OpenAPI page: the schema, and a page of ours that lists it without any other host."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from gateway.rest.idempotency import HEADER

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(request: HttpRequest) -> HttpResponse:
    """Give the page; its script fetches the schema from beside it."""
    html = render_to_string("gateway/docs.html", request=request)
    return HttpResponse(html, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


def without_twins(endpoints: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Give the routes the schema lists: of those that also exist with `.json`, the plain ones."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith(".json")]


def with_limits(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Give the schema with the 429 of every call, and the 409 of those under an idempotency key."""
    for item in result["paths"].values():
        for said in item.values():
            said["responses"].setdefault("429", TOO_MANY)
            if any(one["name"] == HEADER for one in said.get("parameters", ())):
                said["responses"]["409"] = CONFLICT
    return result


def _later(why: str) -> dict[str, Any]:
    anything = {"schema": {"type": "object", "additionalProperties": {}}}
    return {
        "description": why,
        "headers": {"Retry-After": {"schema": {"type": "integer"}}},
        "content": {"application/json": anything},
    }


CONFLICT = _later("The first request with this idempotency key is still running.")
TOO_MANY = _later("Too many requests of this app, or too many wrong keys from this address.")
