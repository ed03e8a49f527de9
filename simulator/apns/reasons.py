"""Every reason Apple documents, with its status.

Apple, "Handling notification responses from APNs"; the second spelling of BadEnvironmentKey… was
seen in the wild.
"""

import json
from typing import Any

STATUS = {
    "BadCollapseId": 400,
    "BadDeviceToken": 400,
    "BadExpirationDate": 400,
    "BadMessageId": 400,
    "BadPriority": 400,
    "BadTopic": 400,
    "DeviceTokenNotForTopic": 400,
    "DuplicateHeaders": 400,
    "IdleTimeout": 400,
    "InvalidPushType": 400,
    "MissingDeviceToken": 400,
    "MissingTopic": 400,
    "PayloadEmpty": 400,
    "TopicDisallowed": 400,
    "BadCertificate": 403,
    "BadCertificateEnvironment": 403,
    "BadEnvironmentKeyIdInToken": 403,
    "BadEnvironmentKeyInToken": 403,
    "ExpiredProviderToken": 403,
    "Forbidden": 403,
    "InvalidProviderToken": 403,
    "MissingProviderToken": 403,
    "UnrelatedKeyIdInToken": 403,
    "BadPath": 404,
    "MethodNotAllowed": 405,
    "ExpiredToken": 410,
    "Unregistered": 410,
    "PayloadTooLarge": 413,
    "TooManyProviderTokenUpdates": 429,
    "TooManyRequests": 429,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
    "Shutdown": 503,
}

USUAL = {
    400: "BadPath",
    403: "Forbidden",
    404: "BadPath",
    405: "MethodNotAllowed",
    410: "Unregistered",
    413: "PayloadTooLarge",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}


class Refused(Exception):
    """This push is refused for this reason."""

    def __init__(self, reason: str, gone_at: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.gone_at = gone_at


def body_of(reason: str, timestamp_ms: int | None) -> bytes:
    """Return the JSON Apple sends with a refusal; the timestamp belongs to a 410."""
    document: dict[str, Any] = {"reason": reason}
    if timestamp_ms is not None:
        document["timestamp"] = timestamp_ms
    return json.dumps(document, separators=(",", ":")).encode()
