"""Every error row of FCM HTTP v1, with the details that tell them apart.

Firebase, "FCM error codes" and the ErrorCode reference.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
APNS_ERROR = "type.googleapis.com/google.firebase.fcm.v1.ApnsError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"

Details = list[dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """One documented error."""

    status: int
    word: str
    message: str
    details: Details = field(default_factory=list)


def _fcm(code: str) -> dict[str, Any]:
    return {"@type": FCM_ERROR, "errorCode": code}


def _apns(status: int, reason: str) -> dict[str, Any]:
    return {"@type": APNS_ERROR, "statusCode": status, "reason": reason}


def _quota(subject: str, description: str) -> dict[str, Any]:
    violation = {"subject": subject, "description": description}
    return {"@type": QUOTA_FAILURE, "violations": [violation]}


def violations(found: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the BadRequest detail for these fields and complaints."""
    listed = [{"field": name, "description": text} for name, text in found]
    return {"@type": BAD_REQUEST, "fieldViolations": listed}


NOT_A_TOKEN = "The registration token is not a valid FCM registration token"  # noqa: S105  # prose
EXHAUSTED = "Quota exceeded for quota metric 'Messages sent' and limit 'per minute'."
AUTH = "Request had invalid authentication credentials. Expected OAuth 2 access token."

ROWS = {
    "BAD_REQUEST": Row(
        400,
        "INVALID_ARGUMENT",
        "Invalid JSON payload received.",
        [violations([("message", "Invalid JSON payload received.")])],
    ),
    "INVALID_ARGUMENT": Row(400, "INVALID_ARGUMENT", NOT_A_TOKEN, [_fcm("INVALID_ARGUMENT")]),
    "APNS_UNREGISTERED": Row(
        400,
        "INVALID_ARGUMENT",
        "Request contains an invalid argument.",
        [_fcm("INVALID_ARGUMENT"), _apns(410, "Unregistered")],
    ),
    "UNAUTHENTICATED": Row(401, "UNAUTHENTICATED", AUTH),
    "THIRD_PARTY_AUTH_ERROR": Row(
        401,
        "UNAUTHENTICATED",
        "Auth error from APNS or Web Push Service",
        [_fcm("THIRD_PARTY_AUTH_ERROR"), _apns(403, "InvalidProviderToken")],
    ),
    "SENDER_ID_MISMATCH": Row(
        403, "PERMISSION_DENIED", "SenderId mismatch", [_fcm("SENDER_ID_MISMATCH")]
    ),
    "PERMISSION_DENIED": Row(
        403,
        "PERMISSION_DENIED",
        "Permission 'cloudmessaging.messages.create' denied on resource",
    ),
    "UNREGISTERED": Row(
        404, "NOT_FOUND", "Requested entity was not found.", [_fcm("UNREGISTERED")]
    ),
    "NOT_FOUND": Row(404, "NOT_FOUND", "Requested entity was not found."),
    "QUOTA_EXCEEDED": Row(
        429,
        "RESOURCE_EXHAUSTED",
        EXHAUSTED,
        [_fcm("QUOTA_EXCEEDED"), _quota("project", EXHAUSTED)],
    ),
    "DEVICE_QUOTA_EXCEEDED": Row(
        429,
        "RESOURCE_EXHAUSTED",
        "Device message rate exceeded",
        [_fcm("QUOTA_EXCEEDED"), _quota("device", "Device message rate exceeded")],
    ),
    "TOPIC_QUOTA_EXCEEDED": Row(
        429,
        "RESOURCE_EXHAUSTED",
        "Topic message rate exceeded",
        [_fcm("QUOTA_EXCEEDED"), _quota("topic", "Topic message rate exceeded")],
    ),
    "INTERNAL": Row(500, "INTERNAL", "Internal error encountered.", [_fcm("INTERNAL")]),
    "BAD_GATEWAY": Row(502, "UNAVAILABLE", "Bad gateway."),
    "UNAVAILABLE": Row(
        503, "UNAVAILABLE", "The service is currently unavailable.", [_fcm("UNAVAILABLE")]
    ),
    "DEADLINE_EXCEEDED": Row(504, "DEADLINE_EXCEEDED", "Deadline exceeded."),
}

USUAL = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "QUOTA_EXCEEDED",
    500: "INTERNAL",
    502: "BAD_GATEWAY",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Refused(Exception):
    """This message is refused with this row."""

    def __init__(
        self, name: str, *, message: str | None = None, details: Details | None = None
    ) -> None:
        super().__init__(name)
        self.name = name
        self.row = ROWS.get(name) or Row(400, name, name, [_fcm(name)])
        self.message = message or self.row.message
        self.details = self.row.details if details is None else details


def invalid(found: Sequence[tuple[str, str]], *, fcm: bool = False) -> Refused:
    """Return a refusal that names the fields; `fcm` when FCM itself complains, not its front."""
    details = [violations(found)]
    if fcm:
        details.insert(0, _fcm("INVALID_ARGUMENT"))
    name = "INVALID_ARGUMENT" if fcm else "BAD_REQUEST"
    return Refused(name, message=found[0][1], details=details)


def body_of(refused: Refused) -> bytes:
    """Return Google's error envelope."""
    error: dict[str, Any] = {
        "code": refused.row.status,
        "message": refused.message,
        "status": refused.row.word,
    }
    if refused.details:
        error["details"] = refused.details
    return json.dumps({"error": error}).encode()
