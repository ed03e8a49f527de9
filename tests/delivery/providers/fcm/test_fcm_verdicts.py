"""Each row of the decision table for FCM (contract: providers §4), and what lies beside it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.contract import Verdict
from delivery.providers.fcm.verdicts import Remedy, Ruling, judge, read_complaint, read_name

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PREFIX = "type.googleapis.com/"


def fcm(code: str) -> dict[str, Any]:
    return {"@type": f"{PREFIX}google.firebase.fcm.v1.FcmError", "errorCode": code}


def apns(status: int, reason: str) -> dict[str, Any]:
    kind = f"{PREFIX}google.firebase.fcm.v1.ApnsError"
    return {"@type": kind, "statusCode": status, "reason": reason}


def fields(*names: str) -> dict[str, Any]:
    listed = [{"field": name, "description": "no good"} for name in names]
    return {"@type": f"{PREFIX}google.rpc.BadRequest", "fieldViolations": listed}


def quota(subject: str) -> dict[str, Any]:
    listed = [{"subject": subject, "description": "Quota exceeded."}]
    return {"@type": f"{PREFIX}google.rpc.QuotaFailure", "violations": listed}


def body(status: str, *details: dict[str, Any]) -> bytes:
    return json.dumps({"error": {"status": status, "message": "m", "details": details}}).encode()


INVALID, DENIED = "INVALID_ARGUMENT", "PERMISSION_DENIED"
SUSPECT = Ruling(Verdict.REJECTED, remedy=Remedy.COMPARE)
STOP = Ruling(Verdict.MISCONFIGURED)
DEAD = Ruling(Verdict.UNREGISTERED)
IN_A_WHILE = Ruling(Verdict.UNAVAILABLE, 10.0)
IN_A_MINUTE = Ruling(Verdict.THROTTLED, 60.0)

ROWS = {
    "400 BadRequest": (400, body(INVALID, fields("message.android")), Ruling(Verdict.REJECTED)),
    "400 INVALID_ARGUMENT": (400, body(INVALID, fcm(INVALID)), SUSPECT),
    "400 INVALID_ARGUMENT, the token named": (
        400,
        body(INVALID, fcm(INVALID), fields("message.token")),
        SUSPECT,
    ),
    "400 INVALID_ARGUMENT, another field named": (
        400,
        body(INVALID, fcm(INVALID), fields("message.data[0].key")),
        Ruling(Verdict.REJECTED),
    ),
    "400 INVALID_ARGUMENT + ApnsError 410": (
        400,
        body(INVALID, fcm(INVALID), apns(410, "Unregistered")),
        DEAD,
    ),
    "401 alone": (
        401,
        body("UNAUTHENTICATED"),
        Ruling(Verdict.MISCONFIGURED, remedy=Remedy.NEW_BEARER),
    ),
    "401 THIRD_PARTY_AUTH_ERROR": (
        401,
        body("UNAUTHENTICATED", fcm("THIRD_PARTY_AUTH_ERROR"), apns(403, "InvalidProviderToken")),
        Ruling(Verdict.MISCONFIGURED, wide=False),
    ),
    "403 SENDER_ID_MISMATCH": (
        403,
        body(DENIED, fcm("SENDER_ID_MISMATCH")),
        Ruling(Verdict.UNREGISTERED, proven=False),
    ),
    "403 other": (403, body(DENIED), STOP),
    "404 UNREGISTERED": (404, body("NOT_FOUND", fcm("UNREGISTERED")), DEAD),
    "404 alone": (404, body("NOT_FOUND"), STOP),
    "429 QUOTA_EXCEEDED": (429, body("RESOURCE_EXHAUSTED", fcm("QUOTA_EXCEEDED")), IN_A_MINUTE),
    "429 alone": (429, body("RESOURCE_EXHAUSTED"), IN_A_MINUTE),
    "500 INTERNAL": (500, body("INTERNAL", fcm("INTERNAL")), IN_A_WHILE),
    "500 nothing": (500, b"", IN_A_WHILE),
    "502 a web page": (502, b"<html>", IN_A_WHILE),
    "503 UNAVAILABLE": (503, body("UNAVAILABLE", fcm("UNAVAILABLE")), IN_A_WHILE),
    "504 nothing": (504, b"", IN_A_WHILE),
}


@pytest.mark.parametrize(("status", "said", "ruling"), ROWS.values(), ids=ROWS.keys())
def test_each_row_has_its_verdict(status: int, said: bytes, ruling: Ruling) -> None:
    assert judge(status, said, now=NOW)[0] == ruling


@pytest.mark.parametrize(
    ("status", "asked", "wait"),
    [
        (429, "120", 120.0),
        (429, b"5", 5.0),
        (429, "Mon, 01 Jun 2026 12:02:00 GMT", 120.0),
        (429, None, 60.0),
        (429, "soon", 60.0),
        (503, "120", 120.0),
        (503, "3", 10.0),
        (503, "Mon, 01 Jun 2026 11:00:00 GMT", 10.0),
        (400, "120", None),
    ],
)
def test_a_wait_is_the_longer_of_ours_and_theirs_and_a_quota_believes_theirs(
    status: int, asked: str | bytes | None, wait: float | None
) -> None:
    assert judge(status, body("X"), now=NOW, retry_after=asked)[0].retry_after == wait


@pytest.mark.parametrize(
    ("subject", "of", "wide"),
    [
        ("project", "project", True),
        ("device:abc", "device", False),
        ("Topic x", "topic", False),
        ("else", "", True),
    ],
)
def test_whose_quota_it_was_is_kept(subject: str, of: str, wide: bool) -> None:
    said = body("RESOURCE_EXHAUSTED", fcm("QUOTA_EXCEEDED"), quota(subject))
    ruling, complaint = judge(429, said, now=NOW)
    assert (complaint.quota_of, ruling.wide) == (of, wide)
    assert complaint.words == f"QUOTA_EXCEEDED {of}".strip()


def test_a_dead_live_activity_does_not_kill_the_registration() -> None:
    said = body(INVALID, fcm(INVALID), apns(410, "Unregistered"))
    assert judge(400, said, now=NOW, live_activity=True)[0].verdict is Verdict.REJECTED


def test_the_detail_wins_over_the_status() -> None:
    assert judge(400, body(INVALID, fcm("UNREGISTERED")), now=NOW)[0] == DEAD


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (400, Verdict.REJECTED),
        (401, Verdict.MISCONFIGURED),
        (403, Verdict.MISCONFIGURED),
        (404, Verdict.MISCONFIGURED),
        (408, Verdict.UNAVAILABLE),
        (413, Verdict.REJECTED),
        (429, Verdict.THROTTLED),
        (599, Verdict.UNAVAILABLE),
        (204, Verdict.UNAVAILABLE),
        (302, Verdict.UNAVAILABLE),
    ],
)
def test_a_code_not_met_before_falls_back_on_the_status_and_keeps_its_words(
    status: int, verdict: Verdict
) -> None:
    ruling, complaint = judge(status, body("ODD", fcm("NEWFANGLED")), now=NOW)
    assert ruling.verdict is verdict
    assert complaint.words == "NEWFANGLED"


@given(status=st.integers(100, 599), said=st.binary(max_size=50))
def test_no_body_without_an_fcm_error_kills_a_token(status: int, said: bytes) -> None:
    assert judge(status, said, now=NOW)[0].verdict is not Verdict.UNREGISTERED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(error=st.fixed_dictionaries({"status": JSON, "message": JSON, "details": JSON}) | JSON)
def test_any_shape_of_error_can_be_read(error: Any) -> None:
    try:
        said = json.dumps({"error": error}).encode()
    except UnicodeEncodeError:
        return
    assert isinstance(read_complaint(said).words, str)


@pytest.mark.parametrize(
    "details",
    [
        [{"@type": 5}, {"@type": fcm("X")["@type"], "errorCode": 7}, "text", None],
        [{**fields(), "fieldViolations": "all"}, {**quota("x"), "violations": [5]}],
        [{**apns(0, ""), "statusCode": "410"}, {**fields(), "fieldViolations": [{"field": 1}]}],
    ],
)
def test_odd_details_say_nothing(details: list[Any]) -> None:
    complaint = read_complaint(json.dumps({"error": {"details": details}}).encode())
    assert (complaint.code, complaint.apns_status, complaint.quota_of) == ("", None, "")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b'{"name":"projects/p/messages/1"}', "projects/p/messages/1"),
        (b'{\n  "name": "projects/p/messages/1"\n}\n', "projects/p/messages/1"),
        (b"{}", ""),
        (b'{"name":null}', ""),
        (b'{"name":5}', ""),
        (b"[]", ""),
        (b"", ""),
        (b"<html>", ""),
    ],
)
def test_a_name_is_a_string_or_nothing(said: bytes, name: str) -> None:
    assert read_name(said) == name
