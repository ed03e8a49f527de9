"""Reasons in few words: a provider may say anything, a metric must not have a series for each."""

import re
from collections.abc import Iterator

from delivery.providers.apns.verdicts import ANSWERS
from delivery.providers.fcm.verdicts import CODES

OTHER = "other"

GOOGLE = frozenset(
    {
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "FAILED_PRECONDITION",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "UNAUTHENTICATED",
        "UNSPECIFIED_ERROR",
    }
)
KNOWN = frozenset({*(reason for _, reason in ANSWERS), *CODES, *GOOGLE})

SORTS = {
    "TLS": "TLS",
    "credential": "credential",
    "connection": "connection",
    "no": "no answer",
    "fault": "fault of the gateway",
    "GOAWAY": "connection",
}
"""What our own words for a push without an answer begin with."""

WORD = re.compile(r"[A-Za-z_]+")
STATUS = re.compile(r"HTTP ([1-5])\d\d\b")


def short(reason: str) -> str:
    """Give a provider's or our own reason as one of a fixed, small number of words."""
    if not reason:
        return ""
    if (known := next((word for word in _words(reason) if word in KNOWN), None)) is not None:
        return known
    if (status := STATUS.match(reason)) is not None:
        return f"HTTP {status[1]}xx"
    return SORTS.get(next(_words(reason), ""), OTHER)


def _words(reason: str) -> Iterator[str]:
    return (found.group() for found in WORD.finditer(reason[:200]))
