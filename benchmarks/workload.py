"""What every sender sends: the same message, to the same tokens, to either provider."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from delivery.message import Message
from delivery.providers.apns import payload as apns
from delivery.providers.contract import Push, Transport
from delivery.providers.fcm import payload as fcm

LIFETIME = timedelta(hours=1)
PROJECT = "push-bench"
PRIORITY = 10  # what an ordinary alert is sent with
PUSH_TYPE = "alert"

MESSAGE = Message(
    title="Order 4711 has shipped",
    body="Your parcel is on its way and should arrive on Thursday.",
    data={"order": "4711", "k": "v"},
    high_priority=True,
)


def push_by(transport: Transport, topic: str) -> Push:
    """Give the push as the gateway's adapters take it."""
    return Push(
        message=MESSAGE,
        notification_id=4711,
        occurrence_id=815,
        transport=transport,
        topic=topic,
        expires_at=datetime.now(UTC) + LIFETIME,
    )


def apns_push(topic: str) -> apns.Rendered:
    """Give the push in Apple's words, for senders that are not ours."""
    return apns.render(push_by(Transport.APNS, topic), default_topic=topic)


def fcm_message() -> dict[str, Any]:
    """Give the push in Google's words, without a token, for senders that are not ours."""
    return fcm.message_of(push_by(Transport.FCM, ""), now=datetime.now(UTC))


def addresses(transport: Transport, n: int, *, salt: str = "") -> list[str]:
    """Give so many distinct device tokens, all alive, of the length real ones have."""
    digests = [hashlib.sha256(f"{salt}{i}".encode()).hexdigest() for i in range(n)]
    if transport is Transport.FCM:
        return [f"fYd3mQ9sTQm:APA91bH{digest[:60]}{digest}" for digest in digests]
    return [f"a{digest[1:]}" for digest in digests]


def checksum(tokens: Iterable[str]) -> int:
    """Give the sum a server must have come to that got each of these tokens once."""
    return sum(int(token[-16:], 16) for token in tokens) % 2**64
