"""Would every provider take this message? Asked before it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from delivery.message import Message, RawMessage, named
from delivery.providers import json_text
from delivery.providers.apns import payload as apns
from delivery.providers.contract import Push, Transport
from delivery.providers.fcm import payload as fcm
from delivery.providers.refusal import Refusal

LARGEST_ID = 2**31 - 1
SOME_TOPIC = "any.topic"

SMALL = 3072
"""Bytes of a neutral message as it is stored: no provider's form says a word of it twice, and what
they add has room in the rest of their limits."""


def refusal_of(message: Message | RawMessage) -> Refusal | None:
    """Give the first thing a provider would refuse in a message, None where it fits them all.

    A neutral message must fit both, for its audience may hold devices of both; a raw one its own.
    """
    if isinstance(message, Message) and is_small(message):
        return None
    return refusal_of_rendered(message)


def refusal_of_rendered(message: Message | RawMessage) -> Refusal | None:
    """Give the same of any message, however small: it is rendered for each provider."""
    if isinstance(message, RawMessage):
        transports = [Transport(message.transport)]
    else:
        transports = [Transport.APNS, Transport.FCM]
    return next(filter(None, (_refusal(message, t) for t in transports)), None)


def is_small(message: Message) -> bool:
    """Say whether a message is far from any limit, at a tenth of what it costs to render it."""
    return message.collapse_id is None and len(json_text.dump(message.as_json())) <= SMALL


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much of what one provider takes a message fills, in bytes."""

    used: int
    limit: int


def sizes_of(message: Message) -> Mapping[Transport, Size]:
    """Give the most bytes a message can take with each provider, as that provider counts them."""
    apple = apns.render(_push(message, Transport.APNS))
    google = fcm.render(_push(message, Transport.FCM), now=datetime.now(UTC))
    return {
        Transport.APNS: Size(used=len(apple.body), limit=apns.size_limit(apple.push_type)),
        Transport.FCM: Size(used=fcm.content_size(google.message), limit=fcm.SIZE_LIMIT),
    }


def _refusal(message: Message | RawMessage, transport: Transport) -> Refusal | None:
    push = _push(message, transport)
    if transport is Transport.FCM:
        return fcm.render(push, now=datetime.now(UTC)).refusal
    return apns.render(push).refusal


def _push(message: Message | RawMessage, transport: Transport) -> Push:
    # the ids are not known yet: the longest ones take the most room
    return Push(
        message=named(message, LARGEST_ID),
        notification_id=LARGEST_ID,
        occurrence_id=LARGEST_ID,
        transport=transport,
        topic=SOME_TOPIC,
    )
