"""Refusals as ConnectyCube words them: always JSON under `errors`, a list or reasons by field.

A client compares some of them word for word before it acts (contracts/connectycube §1.4, §3).
"""

import re
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from rest_framework import exceptions

from crm.errors import Conflict, Invalid, NotFound
from delivery.errors import MessageTooLarge
from gateway.connectycube.cors import EXPOSED
from gateway.rest.cors import open_to_browsers
from gateway.rest.errors import Reasons, refusals
from gateway.rest.rendering import Response

BLANK = "can't be blank"
INVALID = "is invalid"
UNLISTED = "is not included in the list"
UNSUPPORTED = "is not supported"

WIRE_NAMES = {
    "audience": "base",
    "body": "message",
    "payload": "message",
    "data": "message",
    "topic": "bundle_identifier",
    "at": "date",
    "until": "end_date",
    "every": "period",
}

PREFIX = re.compile(r"/(session|login|users|subscriptions|events)(/|\.json|$)")
TOKENS = ("HTTP_CB_TOKEN", "HTTP_CB_AUTHKEY", "HTTP_CB_SDK", "HTTP_QB_TOKEN", "HTTP_QB_AUTHKEY")


class TokenRequired(exceptions.APIException):
    """No token came where one is needed."""

    status_code = 401
    default_detail = "Token is required"


class NoSuchSession(exceptions.APIException):
    """The token is unknown, expired or destroyed; clients log in again at these very words."""

    status_code = 401
    default_detail = {"base": ["Required session does not exist"]}


class Unauthorized(exceptions.APIException):
    """No such user or a wrong password: which of the two is not said."""

    status_code = 401
    default_detail = "Unauthorized"


class NeedsUser(exceptions.APIException):
    """The session is an application's, and the path is a user's."""

    status_code = 403
    default_detail = {"base": ["Forbidden. Need user."]}


class Forbidden(exceptions.APIException):
    """Somebody else's user or event."""

    status_code = 403
    default_detail = {"base": ["Access denied"]}


class Unprocessable(exceptions.APIException):
    """A refusal about the request as a whole, worded as a list."""

    status_code = 422


class NoSuchResource(exceptions.APIException):
    """No such row or path."""

    status_code = 404
    default_detail = "The resource wasn't found"


def refusal_body(reasons: Reasons) -> dict[str, Any]:
    """Give the body of a refusal: a bare list where no field is to blame."""
    if set(reasons) <= {""}:
        return {"errors": list(reasons.get("", ["Bad request"]))}
    return {"errors": {name or "base": list(said) for name, said in reasons.items()}}


_refuse = refusals(status={Invalid: 422, Conflict: 422}, wire_names=WIRE_NAMES, body=refusal_body)


def refuse(error: Exception, context: dict[str, Any]) -> Response | None:
    """Give the answer to a refusal; what is not there is always said in the same words."""
    if isinstance(error, NotFound | Http404 | exceptions.NotFound):
        error = NoSuchResource()
    if isinstance(error, MessageTooLarge):
        error = Invalid("is too long", field="message")
    if isinstance(error, exceptions.ParseError):
        error = exceptions.APIException("Bad request")
        error.status_code = 400
    return _refuse(error, context)


def is_spoken(request: HttpRequest) -> bool:
    """Say whether a request nobody answers is one of this dialect."""
    return bool(PREFIX.match(request.path_info)) or any(name in request.META for name in TOKENS)


def no_such_route(request: HttpRequest) -> HttpResponseBase:
    """Answer 404 where no route is."""
    del request
    return _plain({"errors": [NoSuchResource.default_detail]}, 404)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500 without a word about its cause, which the log has."""
    del request
    said = "Internal Server Error"
    return _plain({"status": "500", "error": said, "errors": [said]}, 500)


def _plain(body: dict[str, Any], status: int) -> HttpResponseBase:
    return open_to_browsers(JsonResponse(body, status=status), exposed=EXPOSED)
