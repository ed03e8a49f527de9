"""Would every provider take this message? Asked before it is stored."""

from datetime import UTC, datetime

from delivery.message import Message, RawMessage, named
from delivery.providers.apns import payload as apns
from delivery.providers.contract import Push, Transport
from delivery.providers.fcm import payload as fcm
from delivery.providers.refusal import Refusal

LARGEST_ID = 2**31 - 1
SOME_TOPIC = "any.topic"


def refusal_of(message: Message | RawMessage) -> Refusal | None:
    """Give the first thing a provider would refuse in a message, None where it fits them all.

    A neutral message must fit both, for its audience may hold devices of both; a raw one its own.
    """
    if isinstance(message, RawMessage):
        transports = [Transport(message.transport)]
    else:
        transports = [Transport.APNS, Transport.FCM]
    return next(filter(None, (_refusal(message, t) for t in transports)), None)


def _refusal(message: Message | RawMessage, transport: Transport) -> Refusal | None:
    # the ids are not known yet: the longest ones take the most room
    push = Push(
        message=named(message, LARGEST_ID),
        notification_id=LARGEST_ID,
        occurrence_id=LARGEST_ID,
        transport=transport,
        topic=SOME_TOPIC,
    )
    if transport is Transport.FCM:
        return fcm.render(push, now=datetime.now(UTC)).refusal
    return apns.render(push).refusal
