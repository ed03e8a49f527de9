"""Each row of the decision table for APNs (contract: providers §4), and what lies beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.apns.verdicts import (
    ANSWERS,
    Remedy,
    Ruling,
    judge,
    judge_unsent,
    read_complaint,
)
from delivery.providers.contract import Verdict

REJECTED = Ruling(Verdict.REJECTED)
STOP = Ruling(Verdict.MISCONFIGURED)
PERHAPS_DEAD = Ruling(Verdict.UNREGISTERED, proven=False)
PERHAPS_ELSEWHERE = Ruling(Verdict.UNREGISTERED, proven=False, elsewhere=True)
PERHAPS_OURS = Ruling(Verdict.REJECTED, proven=False)
DEAD = Ruling(Verdict.UNREGISTERED)
IN_15_MINUTES = Ruling(Verdict.UNAVAILABLE, 900.0)

ROWS = {
    (200, ""): Ruling(Verdict.ACCEPTED),
    (400, "BadCollapseId"): REJECTED,
    (400, "BadExpirationDate"): REJECTED,
    (400, "BadMessageId"): REJECTED,
    (400, "BadPriority"): REJECTED,
    (400, "InvalidPushType"): REJECTED,
    (400, "PayloadEmpty"): REJECTED,
    (400, "DuplicateHeaders"): REJECTED,
    (400, "MissingDeviceToken"): REJECTED,
    (400, "BadTopic"): PERHAPS_OURS,
    (400, "MissingTopic"): PERHAPS_OURS,
    (400, "TopicDisallowed"): STOP,
    (400, "BadDeviceToken"): PERHAPS_ELSEWHERE,
    (400, "DeviceTokenNotForTopic"): PERHAPS_DEAD,
    (400, "IdleTimeout"): Ruling(Verdict.UNAVAILABLE, remedy=Remedy.RECONNECT),
    (403, "ExpiredProviderToken"): Ruling(Verdict.MISCONFIGURED, remedy=Remedy.SIGN_ANEW),
    (403, "UnrelatedKeyIdInToken"): Ruling(Verdict.MISCONFIGURED, remedy=Remedy.RECONNECT),
    (403, "InvalidProviderToken"): STOP,
    (403, "MissingProviderToken"): STOP,
    (403, "BadEnvironmentKeyIdInToken"): STOP,
    (403, "BadEnvironmentKeyInToken"): STOP,
    (403, "BadCertificate"): STOP,
    (403, "BadCertificateEnvironment"): STOP,
    (403, "Forbidden"): STOP,
    (404, "BadPath"): REJECTED,
    (405, "MethodNotAllowed"): REJECTED,
    (410, "Unregistered"): DEAD,
    (410, "ExpiredToken"): DEAD,
    (413, "PayloadTooLarge"): REJECTED,
    (429, "TooManyRequests"): Ruling(Verdict.THROTTLED, 30.0, wide=False),
    (429, "TooManyProviderTokenUpdates"): Ruling(
        Verdict.THROTTLED, 1200.0, wide=False, remedy=Remedy.STAY
    ),
    (500, "InternalServerError"): IN_15_MINUTES,
    (503, "ServiceUnavailable"): IN_15_MINUTES,
    (503, "Shutdown"): Ruling(Verdict.UNAVAILABLE, 900.0, remedy=Remedy.RECONNECT),
}


@pytest.mark.parametrize(
    ("answer", "ruling"), ROWS.items(), ids=[f"{status}-{word}" for status, word in ROWS]
)
def test_each_row_has_its_verdict(answer: tuple[int, str], ruling: Ruling) -> None:
    assert judge(*answer) == ruling


def test_the_code_knows_no_row_the_table_lacks() -> None:
    assert ANSWERS.keys() == ROWS.keys() - {(200, "")}


@pytest.mark.parametrize(
    ("status", "reason", "verdict"),
    [
        (400, "Newfangled", Verdict.REJECTED),
        (403, "Newfangled", Verdict.MISCONFIGURED),
        (410, "Newfangled", Verdict.REJECTED),
        (429, "Newfangled", Verdict.THROTTLED),
        (500, "Newfangled", Verdict.UNAVAILABLE),
        (599, "", Verdict.UNAVAILABLE),
        (400, "", Verdict.UNAVAILABLE),
        (403, "", Verdict.UNAVAILABLE),
        (410, "", Verdict.UNAVAILABLE),
        (429, "", Verdict.THROTTLED),
        (302, "", Verdict.UNAVAILABLE),
        (400, "Unregistered", Verdict.REJECTED),
    ],
)
def test_a_reason_not_met_before_falls_back_on_the_status_class(
    status: int, reason: str, verdict: Verdict
) -> None:
    assert judge(status, reason).verdict is verdict


@given(status=st.integers(100, 599), reason=st.text(max_size=20))
def test_nothing_outside_the_table_kills_a_token(status: int, reason: str) -> None:
    if (status, reason) not in ROWS:
        assert judge(status, reason).verdict is not Verdict.UNREGISTERED


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ('GOAWAY NO_ERROR {"reason":"Shutdown"}', Verdict.UNAVAILABLE),
        ('GOAWAY NO_ERROR {"reason":"IdleTimeout"}', Verdict.UNAVAILABLE),
        ("GOAWAY NO_ERROR", Verdict.UNAVAILABLE),
        ('GOAWAY NO_ERROR {"reason":"BadCertificate"}', Verdict.MISCONFIGURED),
        ('GOAWAY NO_ERROR {"reason":"InvalidProviderToken"}', Verdict.MISCONFIGURED),
        ('GOAWAY NO_ERROR {"reason":"BadCertificateEnvironment"}', Verdict.MISCONFIGURED),
        ("RST_STREAM REFUSED_STREAM", Verdict.UNAVAILABLE),
        ("connect: [SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] expired", Verdict.MISCONFIGURED),
        ("connect: [SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", Verdict.MISCONFIGURED),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] required", Verdict.MISCONFIGURED),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed", Verdict.MISCONFIGURED),
        ("connect: Connection refused", Verdict.UNAVAILABLE),
        ("connect: timed out", Verdict.UNAVAILABLE),
    ],
)
def test_what_never_left_says_whose_fault_it_was(words: str, verdict: Verdict) -> None:
    assert judge_unsent(words).verdict is verdict


@pytest.mark.parametrize(
    ("body", "reason", "timestamp"),
    [
        (b'{"reason":"Unregistered","timestamp":1629000000000}', "Unregistered", 1629000000000),
        (b'{"reason":"BadTopic"}', "BadTopic", None),
        (b'{"reason":7,"timestamp":"soon"}', "", None),
        (b'{"timestamp":true}', "", None),
        (b"", "", None),
        (b"<html>503</html>", "", None),
        (b'"Unregistered"', "", None),
        (b'{"reason":"Unreg', "", None),
        (b"\xff\xfe", "", None),
    ],
)
def test_any_body_can_be_read(body: bytes, reason: str, timestamp: int | None) -> None:
    assert read_complaint(body) == (reason, timestamp)
