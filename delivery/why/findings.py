"""What an answer is made of: reasons, findings, and the case they are found in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from crm.models import DeviceToken, Install, User
from delivery.audience import Audience
from delivery.models import Notification, Occurrence
from delivery.targeting.zones import UNKNOWN
from delivery.why.evidence import Evidence, Planned, Recorded, Taken
from delivery.why.truth import Check


class Reason(StrEnum):
    """What became of one push to one device; the first that applies to any device is the answer."""

    CONFIRMED = "confirmed"  # the device itself told us of it
    UNCONFIRMED = "accepted_unconfirmed"  # the provider took it; the device never told of it
    WAITING = "waiting"  # planned and not sent yet, or not planned yet
    SCHEDULED = "scheduled"  # its moment has not come
    UNCERTAIN = "uncertain"  # it left and no answer came
    REJECTED = "rejected"  # the provider will not have this message for this token
    UNREGISTERED = "unregistered"  # the provider called the token dead
    CAPPED = "capped"  # the app lets a device have so many in a while, and it had had them
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # whoever should have fired it came too late
    QUARANTINED = "token_quarantined"
    DEAD = "token_dead"
    DISABLED = "notifications_disabled"
    OTHER_TRANSPORT = "other_transport"  # its tokens are of a kind the ask did not go to
    TOO_LATE = "registered_later"  # it fits now, and did not when the audience was taken
    NO_TOKEN = "no_token"  # noqa: S105 - the want of a device token
    OTHER_ZONE = "no_firing_in_zone"
    EXCLUDED = "excluded"
    NOT_IN_AUDIENCE = "not_in_audience"
    NO_INSTALL = "no_install"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that became of a push, in words, and what is stored that says so."""

    reason: Reason
    said: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """What became of a push on one install; `audience` is how the audience sees it now."""

    install: Install
    findings: Sequence[Finding]
    audience: Check


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer for a person or one install: the most telling finding, then all of them."""

    notification: Notification
    user: User
    headline: Finding
    devices: Sequence[Device]
    asked_at: datetime


@dataclass(frozen=True)
class Case:
    """One person on one install, and all that is stored of a notification and them."""

    notification: Notification
    audience: Audience
    evidence: Evidence
    user: User
    install: Install
    now: datetime

    @property
    def tokens(self) -> Sequence[DeviceToken]:
        """The tokens of this install, whatever their state."""
        return self.evidence.tokens[self.install.pk]

    @property
    def zone(self) -> str:
        """The zone local sends reach it in."""
        return self.install.timezone or UNKNOWN

    @property
    def slots(self) -> Sequence[Taken]:
        """What counts against its cap, as far as that is still known."""
        return self.evidence.slots.get(self.install.pk, ())

    @property
    def receipts(self) -> Mapping[str, datetime]:
        """When the device first told what of this push."""
        return self.evidence.receipts[self.install.pk]

    def outcomes(self, firing: Occurrence) -> Sequence[Recorded]:
        """Give the ledger's lines of one firing."""
        own = {token.pk for token in self.tokens}
        return [
            line
            for line in self.evidence.outcomes
            if line.occurrence_id == firing.pk
            and (line.install_id == self.install.pk or line.token_id in own)
        ]

    def planned(self, firing: Occurrence) -> Iterator[tuple[Planned, int]]:
        """Give the batches of one firing that hold one of its tokens, and which."""
        own = {token.pk for token in self.tokens}
        for batch in self.evidence.planned:
            if batch.occurrence_id == firing.pk:
                yield from ((batch, id_) for id_ in batch.token_ids if id_ in own)

    def transport_of(self, token_id: int) -> str:
        """Give the transport of one of its tokens; '' of one that was deleted."""
        known = (token.transport for token in self.tokens if token.pk == token_id)
        return next(known, "")


def moment(firing: Occurrence) -> dict[str, Any]:
    """Give which firing a finding is about."""
    told: dict[str, Any] = {"occurrence": firing.pk, "dueAt": firing.due_at}
    return {**told, "zone": firing.zone} if firing.zone else told
