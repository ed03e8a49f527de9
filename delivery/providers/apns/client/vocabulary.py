"""aioapns' requests and results, carrying what a batch needs besides."""

import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aioapns import NotificationRequest
from aioapns.common import NotificationResult
from aioapns.connection import AuthorizationHeaderProvider

from delivery.providers.apns.access import Access
from delivery.providers.apns.envelope import Envelope, fields_of, literals_of
from delivery.providers.apns.payload import Rendered
from delivery.providers.apns.token import ProviderToken
from delivery.providers.contract import Target
from delivery.providers.wire import Uncertain, Unsent


class PushType(NamedTuple):
    """A push type, known to aioapns or not: its own enum stops at liveactivity."""

    value: str


NO_HEADERS: Mapping[bytes, bytes] = {}

UNNAMED = "unnamed"
"""Stands where a credential has no topic of its own: aioapns insists, and every push brings one."""


class Request(NotificationRequest):
    """One push of a batch: aioapns' request, with what the batch shares made once."""

    __slots__ = ("envelope", "target")

    target: Target
    envelope: Envelope


class Result(NotificationResult):
    """aioapns' result, with the request it answers and the headers that came along.

    `reason` is Apple's word, `description` whatever was said. Where no answer came `status` is
    empty and `failure` says whether the push was sent.
    """

    __slots__ = ("failure", "headers", "reason", "request")

    request: Request

    def __init__(
        self,
        request: Any,  # ours in a batch; `send_notification` also takes aioapns' own
        status: str,
        description: str | None = None,
        timestamp: int | None = None,
        *,
        reason: str = "",
        headers: Mapping[bytes, bytes] = NO_HEADERS,
        failure: Unsent | Uncertain | None = None,
    ) -> None:
        self.notification_id = request.notification_id
        self.status = status
        self.description = description
        self.timestamp = timestamp
        self.request = request
        self.reason = reason
        self.headers = headers
        self.failure = failure


class TokenHeader(AuthorizationHeaderProvider):
    """The one provider token of a key, as aioapns' connections ask for it."""

    def __init__(self, token: ProviderToken) -> None:
        self.token = token

    def get_header(self) -> str:
        """Give the value of `authorization`."""
        return f"bearer {self.token.current()}"


def aioapns_arguments(access: Access, path: str, context: ssl.SSLContext) -> dict[str, Any]:
    """Give the arguments of aioapns' client; `path` leads to the certificate, if it is one."""
    topic = access.topic or UNNAMED
    if access.key is None:
        return {"client_cert": path, "topic": topic, "ssl_context": context}
    return {
        "key": access.key_pem,
        "key_id": access.key.key_id,
        "team_id": access.key.team_id,
        "topic": topic,
        "ssl_context": context,
    }


def build_requests(rendered: Rendered, named: Sequence[tuple[Target, str]]) -> list[Request]:
    """Give one request for each (target, push id) of a batch."""
    expiration = rendered.expiration
    envelope = Envelope(
        rendered.body,
        fields_of(rendered.topic, rendered.push_type, str(rendered.priority)),
        literals_of(expiration, rendered.collapse_id),
    )
    content, topic, collapse_id = rendered.content, rendered.topic, rendered.collapse_id
    lives = None if expiration is None else expiration - int(time.time())
    push_type: Any = PushType(rendered.push_type)
    priority = rendered.priority
    requests = []
    for target, push_id in named:
        request = Request(
            target[1], content, push_id, lives, priority, collapse_id, push_type, apns_topic=topic
        )
        request.envelope = envelope
        request.target = target
        requests.append(request)
    return requests
