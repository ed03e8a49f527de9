"""How a dialect says no: one handler, built from a status table, wire names and a body shape."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.http import Http404
from rest_framework.exceptions import APIException, NotFound, ParseError, ValidationError
from rest_framework.views import set_rollback

from crm.errors import DomainError
from gateway.rest.rendering import Response

Reasons = Mapping[str, Sequence[str]]
StatusTable = Mapping[type[Exception], int]
Body = Callable[[Reasons], Any]
Handler = Callable[[Exception, dict[str, Any]], Response | None]

ITSELF = "non_field_errors"  # how REST framework names the object around the fields


def refusals(*, status: StatusTable, wire_names: Mapping[str, str], body: Body) -> Handler:
    """Build the exception handler through which one dialect says no.

    A view may carry `status_for` where one vendor page disagrees with the others. What is no
    refusal at all is left to the project's last resort, which answers 500.
    """

    def handle(error: Exception, context: dict[str, Any]) -> Response | None:
        table = {**status, **getattr(context["view"], "status_for", {})}
        if isinstance(error, DomainError):
            reasons = {wire_names.get(name, name): why for name, why in error.reasons.items()}
            return _refuse(body(reasons), _status(table, error, 422))
        if isinstance(error, ParseError | ValidationError):
            return _refuse(body(reasons_of(error)), _status(table, error, 422))
        if isinstance(error, Http404):
            error = NotFound()
        if isinstance(error, APIException):
            return _refuse(body(reasons_of(error)), error.status_code, _headers(error))
        return None

    return handle


def reasons_of(error: APIException) -> Reasons:
    """Give a refusal's reasons by dotted key; '' holds those about the request as a whole."""
    reasons: dict[str, list[str]] = {}
    for key, reason in _walk(error.detail):
        reasons.setdefault(key, []).append(reason)
    return reasons


def _walk(detail: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _walk(inner, key if name == ITSELF else f"{key}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _walk(inner, key)
    else:
        yield key, str(detail)


def _status(table: StatusTable, error: Exception, otherwise: int) -> int:
    return next((table[kind] for kind in type(error).__mro__ if kind in table), otherwise)


def _headers(error: APIException) -> dict[str, str]:
    said = {
        "WWW-Authenticate": getattr(error, "auth_header", None),
        "Retry-After": getattr(error, "wait", None),
    }
    return {name: str(value) for name, value in said.items() if value}


def _refuse(body: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    set_rollback()
    return Response(body, status=status, headers=headers)
