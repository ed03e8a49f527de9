"""The promise every provider keeps: pushes in, exactly one outcome each out."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from delivery.message import Message, RawMessage


class Transport(StrEnum):
    """The kind of address a device token is."""

    APNS = "apns"
    APNS_VOIP = "apns_voip"
    FCM = "fcm"
    WEB = "web"  # stored for later; no provider delivers it yet
    SAFARI = "safari"
    HUAWEI = "hcm"


class Environment(StrEnum):
    """Which of a provider's worlds a token lives in; only APNs has two."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


SIBLINGS = {
    Environment.PRODUCTION: Environment.SANDBOX,
    Environment.SANDBOX: Environment.PRODUCTION,
}


class Verdict(StrEnum):
    """What a provider's answer obliges us to do next."""

    ACCEPTED = "accepted"  # taken for delivery; nothing left to do
    REJECTED = "rejected"  # this message will never suit this token; keep the token
    UNREGISTERED = "unregistered"  # the token is dead; retire it
    THROTTLED = "throttled"  # ask again, no sooner than `retry_after`
    UNAVAILABLE = "unavailable"  # the provider is unwell; ask again with backoff
    MISCONFIGURED = "misconfigured"  # our credential is at fault; stop and tell the operator
    UNCERTAIN = "uncertain"  # it left and no answer came; send again only where the ask allows


FINAL = frozenset({Verdict.ACCEPTED, Verdict.REJECTED, Verdict.UNREGISTERED, Verdict.UNCERTAIN})
"""Verdicts that end a push; after the others it is asked again."""


class Target(NamedTuple):
    """One address a push goes to."""

    token_id: int
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """What every target of one batch is told, and how it is addressed.

    Push ids of replays are equal: they are made of the occurrence and the token alone.
    """

    message: Message | RawMessage
    notification_id: int
    occurrence_id: int
    transport: Transport
    environment: Environment = Environment.PRODUCTION
    topic: str = ""
    expires_at: datetime | None = None

    def push_id(self, token_id: int) -> str:
        """Give the UUID that names this push to this token."""
        return push_id_of(self.occurrence_id, token_id)


def push_id_of(occurrence_id: int, token_id: int) -> str:
    """Give the UUID (version 8, RFC 9562 §5.8) that names one occurrence's push to one token.

    It can be read backwards: see `read_push_id`.
    """
    occurrence, token = f"{occurrence_id:015x}", f"{token_id:015x}"
    return f"{occurrence[:8]}-{occurrence[8:12]}-8{occurrence[12:]}-8{token[:3]}-{token[3:]}"


UNSENT = frozenset({"expired", "cancelled", "capped"})
"""How a push ends, in the ledger, that no provider has been asked to take, or not for good."""


def known_as(
    provider_ref: str, *, verdict: str, transport: str | None, occurrence_id: int, token_id: int
) -> str:
    """Give the name the provider knows a push by: its own, or for Apple's the one we gave.

    Empty where it has none: it was not sent in the end, or its token is not known any more.
    """
    if provider_ref or verdict in UNSENT or transport not in {Transport.APNS, Transport.APNS_VOIP}:
        return provider_ref
    return push_id_of(occurrence_id, token_id)


def read_push_id(push_id: str) -> tuple[int, int]:
    """Give the (occurrence id, token id) a push id was made of: Apple's log, explained."""
    digits = push_id.replace("-", "")
    return int(digits[:12] + digits[13:16], 16), int(digits[17:], 16)


class Outcome(NamedTuple):
    """A provider's answer to one push, as a value.

    `reason` keeps the provider's own words. `provider_ref` is its name for the push, empty where it
    goes by the `push_id` we gave. `proven` is false where a death or a refusal may be our own
    mistake (a wrong host or topic), so that it is not believed alone. `died_at` is the moment
    since which APNs knows a token dead; a token registered later is alive. `retry_after` is in
    seconds and a floor. `wide` is false where a fault or a quota is not the whole credential's:
    Apple's leg of FCM may be shut while Android goes on, one device may have had too many.
    `outage` is true where nothing can be sent through the credential until `retry_after`, and this
    push was not even tried. `elsewhere` is true of a token that may be alive in the provider's
    other environment.
    """

    token_id: int
    verdict: Verdict
    reason: str = ""
    provider_ref: str = ""
    retry_after: float | None = None
    died_at: datetime | None = None
    proven: bool = True
    wide: bool = True
    outage: bool = False
    elsewhere: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What one provider needs to let us in, decrypted; `endpoint` aims it at another address.

    `secret` holds the .p8 text, the PEM of certificate and key, or the service account JSON. Those
    of a test app lead to the simulator or nowhere.
    """

    id: int
    provider: str
    kind: str
    secret: str
    facts: Mapping[str, str]
    environment: Environment = Environment.PRODUCTION
    endpoint: str = ""
    ca_pem: str = ""
    test: bool = False


class Provider(Protocol):
    """One push service, reached with one credential."""

    def deliver(self, push: Push, targets: Sequence[Target]) -> AsyncIterator[Sequence[Outcome]]:
        """Yield outcomes as answers arrive, in any order, exactly one for each target in all.

        A provider's answer is a value, never an exception. Reasons we have not met
        before fall back on the status class, and keep the provider's own words.
        """
        ...

    async def close(self) -> None:
        """Let what is in flight finish, within a deadline, and hang up."""
        ...
