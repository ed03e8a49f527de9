"""Google's answers → verdicts, as a table (Firebase, FCM error codes; google.rpc error details)."""

import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from delivery.providers import json_text
from delivery.providers.contract import Verdict
from delivery.providers.retry_after import longest, read_retry_after

QUOTA_PAUSE = 60.0  # Firebase: wait for Retry-After, or 60 seconds where it is absent
FIRST_BACKOFF = 10.0  # ours: independent readings of Firebase's page begin at 10 s or 60 s

FCM_ERROR = "google.firebase.fcm.v1.FcmError"
APNS_ERROR = "google.firebase.fcm.v1.ApnsError"
BAD_REQUEST = "google.rpc.BadRequest"
QUOTA_FAILURE = "google.rpc.QuotaFailure"


NARROW = frozenset({"device", "topic"})
"""Whose quotas are not the project's."""


class Remedy(StrEnum):
    """What could still change a verdict."""

    NEW_BEARER = "new bearer"  # fetch a fresh access token and ask again, once
    COMPARE = "compare"  # the token is dead if the same payload was accepted for another


class Complaint(NamedTuple):
    """What Google wrote beside a status."""

    status: str = ""
    code: str = ""  # FcmError.errorCode
    message: str = ""
    apns_status: int | None = None
    apns_reason: str = ""
    bad_fields: tuple[str, ...] = ()
    quota_of: str = ""  # device, topic, project, or nothing said

    @property
    def words(self) -> str:
        """Give the provider's own words, the telling part first."""
        parts = (self.code or self.status, self.quota_of, self.apns_reason, *self.bad_fields)
        return " ".join(part for part in parts if part) or self.message


class Ruling(NamedTuple):
    """A verdict and what comes with it."""

    verdict: Verdict
    retry_after: float | None = None
    proven: bool = True
    remedy: Remedy | None = None
    wide: bool = True


ACCEPTED = Ruling(Verdict.ACCEPTED)
REJECTED = Ruling(Verdict.REJECTED)
MISCONFIGURED = Ruling(Verdict.MISCONFIGURED)
APPLES_LEG = Ruling(Verdict.MISCONFIGURED, wide=False)  # the APNs key given to Firebase is bad
UNCERTAIN = Ruling(Verdict.UNCERTAIN)
UNSENT = Ruling(Verdict.UNAVAILABLE)
DEAD = Ruling(Verdict.UNREGISTERED)
OTHER_SENDER = Ruling(Verdict.UNREGISTERED, proven=False)  # dead for this project, or wrong project
THROTTLED = Ruling(Verdict.THROTTLED, QUOTA_PAUSE)
UNWELL = Ruling(Verdict.UNAVAILABLE, FIRST_BACKOFF)
STALE_BEARER = Ruling(Verdict.MISCONFIGURED, remedy=Remedy.NEW_BEARER)
SUSPECT = Ruling(Verdict.REJECTED, remedy=Remedy.COMPARE)

CODES: dict[str, Ruling] = {
    "UNREGISTERED": DEAD,
    "SENDER_ID_MISMATCH": OTHER_SENDER,
    "THIRD_PARTY_AUTH_ERROR": APPLES_LEG,  # iOS and web only; Android goes on
    "APNS_AUTH_ERROR": APPLES_LEG,  # its older name
    "QUOTA_EXCEEDED": THROTTLED,
    "UNAVAILABLE": UNWELL,
    "INTERNAL": UNWELL,
}
"""FcmError codes that decide whatever the status is, as in firebase-admin: the detail wins."""

STATUSES: dict[int, Ruling] = {
    400: REJECTED,
    401: STALE_BEARER,
    403: MISCONFIGURED,
    404: MISCONFIGURED,  # wrong project or URL; without FcmError it says nothing of the token
    408: UNWELL,
    429: THROTTLED,
}


def judge(
    status: int,
    body: bytes,
    *,
    now: datetime,
    retry_after: str | bytes | None = None,
    live_activity: bool = False,
) -> tuple[Ruling, Complaint]:
    """Give the ruling on an answer that is not a plain 200, and the words it rests on.

    In a push to a live activity it is the activity's token that Apple calls dead.
    """
    complaint = read_complaint(body)
    ruling = _ruling(status, complaint)
    if live_activity and complaint.apns_status == 410:
        ruling = REJECTED
    if ruling.verdict is Verdict.THROTTLED:
        ruling = ruling._replace(wide=complaint.quota_of not in NARROW)
    if ruling.verdict in {Verdict.THROTTLED, Verdict.UNAVAILABLE}:
        ruling = _wait(ruling, read_retry_after(retry_after, now=now))
    return ruling, complaint


def read_name(body: bytes) -> str:
    """Give the name Google gave an accepted message, or nothing where there is none."""
    name = json_text.load_object(body).get("name")
    return name if isinstance(name, str) else ""


def read_complaint(body: bytes) -> Complaint:
    """Give what an error body says; every field is empty where it is not Google's JSON."""
    error = json_text.load_object(body).get("error")
    if not isinstance(error, dict):
        return Complaint()
    details = _details(error)
    fcm, apns = details.get(FCM_ERROR, {}), details.get(APNS_ERROR, {})
    apns_status = apns.get("statusCode")
    return Complaint(
        status=_text(error.get("status")),
        code=_text(fcm.get("errorCode")),
        message=_text(error.get("message")),
        apns_status=apns_status if isinstance(apns_status, int) else None,
        apns_reason=_text(apns.get("reason")),
        bad_fields=tuple(_fields(details.get(BAD_REQUEST, {}))),
        quota_of=_quota_of(details.get(QUOTA_FAILURE, {})),
    )


def _ruling(status: int, complaint: Complaint) -> Ruling:
    if ruling := CODES.get(complaint.code):
        return ruling
    if complaint.code == "INVALID_ARGUMENT":
        return _invalid_argument(complaint)
    if status >= 500 or status < 400:
        return UNWELL
    return STATUSES.get(status, REJECTED)


def _invalid_argument(complaint: Complaint) -> Ruling:
    """Tell a bad token from a bad message; Google uses one code for both."""
    if complaint.apns_status == 410:
        return DEAD
    about_token = all(field.endswith(("token", "fid")) for field in complaint.bad_fields)
    return SUSPECT if about_token else REJECTED


def _wait(ruling: Ruling, asked: float | None) -> Ruling:
    if ruling.verdict is Verdict.THROTTLED and asked is not None:
        return ruling._replace(retry_after=asked)  # 60 s stands in only where nothing was said
    return ruling._replace(retry_after=longest(ruling.retry_after, asked))


def _details(error: dict[str, Any]) -> dict[str, dict[str, Any]]:
    listed = error.get("details")
    known: dict[str, dict[str, Any]] = {}
    for detail in listed if isinstance(listed, list) else ():
        if isinstance(detail, dict):
            known.setdefault(_text(detail.get("@type")).rpartition("/")[2], detail)
    return known


def _fields(bad_request: dict[str, Any]) -> Iterator[str]:
    listed = bad_request.get("fieldViolations")
    for violation in listed if isinstance(listed, list) else ():
        if isinstance(violation, dict):
            yield _text(violation.get("field"))


def _quota_of(failure: dict[str, Any]) -> str:
    listed = failure.get("violations")
    subjects = " ".join(
        f"{_text(violation.get('subject'))} {_text(violation.get('description'))}"
        for violation in (listed if isinstance(listed, list) else ())
        if isinstance(violation, dict)
    )
    named = re.search(r"device|topic|project", subjects, re.IGNORECASE)
    return named.group().lower() if named else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
