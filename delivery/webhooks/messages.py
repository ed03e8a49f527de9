"""Events → one signed message, the same whenever the same events are told again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from delivery.webhooks.events import Event
from delivery.webhooks.signing import sign


@dataclass(frozen=True, slots=True)
class Message:
    """The body of one request, and the id by which a receiver knows it."""

    id: str
    body: bytes

    def headers(self, *, at: int, secrets: Sequence[str]) -> Mapping[str, str]:
        """Give what Standard Webhooks wants beside the body."""
        return sign(self.body, id_=self.id, at=at, secrets=secrets)


def message_of(webhook_id: int, events: Sequence[Event]) -> Message:
    """Give the message that tells a webhook of events, of which there is one at least.

    Its id is made of theirs: a retry has it again, and so has a replay of just these.
    """
    told = [event.as_json() for event in events]
    names = ",".join([str(webhook_id), *(event["id"] for event in told)])
    digest = hashlib.sha256(names.encode()).hexdigest()[:40]
    body = {"type": "events", "timestamp": told[-1]["timestamp"], "data": told}
    return Message(f"msg_{digest}", orjson.dumps(body))
