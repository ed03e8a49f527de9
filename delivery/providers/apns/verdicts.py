"""Apple's answers → verdicts, as a table (Apple, Handling notification responses from APNs)."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from delivery.providers import json_text
from delivery.providers.contract import Verdict

QUARTER_HOUR = 900.0  # Apple: a 5xx may be retried after 15 minutes
TOKEN_PAUSE = 1200.0  # Apple: a provider token may change every 20 minutes
DEVICE_PAUSE = 30.0  # ours: Apple names no delay for one busy device


class Remedy(StrEnum):
    """What to do before a verdict stands; each is tried once, on the same push."""

    SIGN_ANEW = "sign anew"  # with a fresh provider token, ask again
    RECONNECT = "reconnect"  # hang up, ask again
    STAY = "stay"  # keep the provider token we have, and do not ask again now


class Ruling(NamedTuple):
    """A verdict and what comes with it."""

    verdict: Verdict
    retry_after: float | None = None
    proven: bool = True
    wide: bool = True
    remedy: Remedy | None = None
    elsewhere: bool = False


class Complaint(NamedTuple):
    """What Apple wrote beside a status: its reason, and since when a token is dead (in ms)."""

    reason: str
    timestamp: int | None


def _rows(status: int, reasons: str, ruling: Ruling) -> Iterable[tuple[tuple[int, str], Ruling]]:
    return (((status, reason), ruling) for reason in reasons.split())


ACCEPTED = Ruling(Verdict.ACCEPTED)
REJECTED = Ruling(Verdict.REJECTED)
MISCONFIGURED = Ruling(Verdict.MISCONFIGURED)
UNCERTAIN = Ruling(Verdict.UNCERTAIN)
UNSENT = Ruling(Verdict.UNAVAILABLE)
DEAD = Ruling(Verdict.UNREGISTERED)
OTHER_HOST = Ruling(Verdict.UNREGISTERED, proven=False, elsewhere=True)  # dead, or of the other one
OTHER_TOPIC = Ruling(Verdict.UNREGISTERED, proven=False)  # dead for us, or our topic is wrong
NO_TOPIC = Ruling(Verdict.REJECTED, proven=False)  # the message's fault, unless all have it
UNWELL = Ruling(Verdict.UNAVAILABLE, QUARTER_HOUR)

ANSWERS: dict[tuple[int, str], Ruling] = dict(
    [
        *_rows(
            400,
            "BadCollapseId BadExpirationDate BadMessageId BadPriority InvalidPushType PayloadEmpty"
            " DuplicateHeaders MissingDeviceToken",
            REJECTED,
        ),
        *_rows(400, "BadTopic MissingTopic", NO_TOPIC),
        *_rows(400, "BadDeviceToken", OTHER_HOST),
        *_rows(400, "DeviceTokenNotForTopic", OTHER_TOPIC),
        *_rows(400, "TopicDisallowed", MISCONFIGURED),
        *_rows(400, "IdleTimeout", Ruling(Verdict.UNAVAILABLE, remedy=Remedy.RECONNECT)),
        *_rows(
            403,
            "InvalidProviderToken MissingProviderToken BadEnvironmentKeyIdInToken"
            " BadEnvironmentKeyInToken BadCertificate BadCertificateEnvironment Forbidden",
            MISCONFIGURED,
        ),
        *_rows(403, "ExpiredProviderToken", Ruling(Verdict.MISCONFIGURED, remedy=Remedy.SIGN_ANEW)),
        *_rows(
            403,
            "UnrelatedKeyIdInToken",
            Ruling(Verdict.MISCONFIGURED, remedy=Remedy.RECONNECT),
        ),
        *_rows(404, "BadPath", REJECTED),
        *_rows(405, "MethodNotAllowed", REJECTED),
        *_rows(410, "Unregistered ExpiredToken", DEAD),
        *_rows(413, "PayloadTooLarge", REJECTED),
        *_rows(429, "TooManyRequests", Ruling(Verdict.THROTTLED, DEVICE_PAUSE, wide=False)),
        *_rows(
            429,
            "TooManyProviderTokenUpdates",
            Ruling(Verdict.THROTTLED, TOKEN_PAUSE, wide=False, remedy=Remedy.STAY),
        ),
        *_rows(500, "InternalServerError", UNWELL),
        *_rows(503, "ServiceUnavailable", UNWELL),
        *_rows(
            503,
            "Shutdown",
            Ruling(Verdict.UNAVAILABLE, QUARTER_HOUR, remedy=Remedy.RECONNECT),
        ),
    ]
)

OUR_FAULT_AT_CONNECTING = (
    *(reason for (status, reason) in ANSWERS if status == 403),
    "certificate expired",
    "certificate has expired",
    "certificate unknown",
    "certificate revoked",
    "certificate required",
    "bad certificate",
    "unsupported certificate",
    "unknown ca",
    "CERTIFICATE_VERIFY_FAILED",
)
"""Words of a GOAWAY or a TLS alert that mean our certificate, token or host, not Apple's health."""


def judge(status: int, reason: str) -> Ruling:
    """Give the ruling on an answer; a reason we have not met falls back on the status class.

    An unknown reason never kills a token: only a table row does.
    """
    if status == 200:
        return ACCEPTED
    return ANSWERS.get((status, reason)) or _by_class(status, reason)


def judge_unsent(reason: str) -> Ruling:
    """Give the ruling on a push that provably never reached Apple, by why it did not."""
    said = reason.replace("_", " ").casefold()
    ours = any(word.replace("_", " ").casefold() in said for word in OUR_FAULT_AT_CONNECTING)
    return MISCONFIGURED if ours else UNSENT


def read_complaint(body: bytes) -> Complaint:
    """Give the reason and timestamp of an error body; empty where it is not Apple's JSON."""
    said = json_text.load_object(body)
    reason, timestamp = said.get("reason"), said.get("timestamp")
    return Complaint(
        reason if isinstance(reason, str) else "",
        timestamp if type(timestamp) is int else None,
    )


def _by_class(status: int, reason: str) -> Ruling:
    if status == 429:
        return Ruling(Verdict.THROTTLED, DEVICE_PAUSE)
    if not reason or status >= 500:
        return UNWELL  # without a reason it may not have come from Apple at all
    return MISCONFIGURED if status in {401, 403} else REJECTED
