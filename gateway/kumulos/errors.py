"""Refusals as Kumulos words them: a one-line `error`, and the reasons under each offending key."""

from typing import Any

from django.http import HttpRequest, JsonResponse

from crm.errors import Conflict, Invalid, NotFound
from gateway.kumulos.cors import is_device_path
from gateway.rest.cors import open_to_browsers
from gateway.rest.errors import Reasons, refusals
from gateway.rest.fields import REQUIRED

WIRE_NAMES = {
    "audience": "broadcast",
    "body": "message",
    "collapse_id": "collapseId",
    "reporting_meta": "reportingMeta",
    "user_meta": "userMeta",
    "time_to_live": "ttl",
    "schedule": "schedule.sendAt",
    "at": "schedule.sendAt",
    "install_uids": "installIds",
    "user_uids": "userIds",
    "channel_uuids": "uuids",
}


def refusal_body(reasons: Reasons) -> dict[str, Any]:
    """Give the 4xx body: the summary speaks of the first reason, as real servers' do."""
    key, why = next(iter(reasons.items()), ("", ["Invalid request."]))
    named = {name: list(said) for name, said in reasons.items() if name not in ("", "error")}
    return {"error": _summary(key, why[0]), **named}


def _summary(key: str, reason: str) -> str:
    if not key:
        return reason
    return f"{key} is required" if reason == REQUIRED else f"{key}: {reason}"


refuse = refusals(
    status={Invalid: 422, NotFound: 404, Conflict: 422}, wire_names=WIRE_NAMES, body=refusal_body
)


def no_such_route(request: HttpRequest) -> JsonResponse:
    """Answer 404 where no route is."""
    return _plain(request, "Not found.", 404)


def server_error(request: HttpRequest) -> JsonResponse:
    """Answer 500 without a word about its cause, which the log has."""
    return _plain(request, "Internal error.", 500)


def _plain(request: HttpRequest, reason: str, status: int) -> JsonResponse:
    response = JsonResponse({"error": reason}, status=status)
    if is_device_path(request.path_info):
        open_to_browsers(response)
    return response
