"""Each row of the decision table for FCM, from a server's answer to an outcome.

On both transports, and against what firebase-admin itself makes of the same answer.
"""

import asyncio
from typing import Any

import pytest
from firebase_admin import exceptions, messaging

from delivery.providers.contract import Outcome, Verdict
from delivery.providers.fcm.client import Library, build_message
from tests.promises.stage import Stage, deliver, targets_of

DEAD, STOP, NO = Verdict.UNREGISTERED, Verdict.MISCONFIGURED, Verdict.REJECTED
LATER, SLOWER = Verdict.UNAVAILABLE, Verdict.THROTTLED

ROWS: dict[str, tuple[Verdict, type[Exception]]] = {
    "BAD_REQUEST": (NO, exceptions.InvalidArgumentError),
    "INVALID_ARGUMENT": (NO, exceptions.InvalidArgumentError),
    "APNS_UNREGISTERED": (DEAD, exceptions.InvalidArgumentError),
    "UNAUTHENTICATED": (STOP, exceptions.UnauthenticatedError),
    "THIRD_PARTY_AUTH_ERROR": (STOP, messaging.ThirdPartyAuthError),
    "SENDER_ID_MISMATCH": (DEAD, messaging.SenderIdMismatchError),
    "PERMISSION_DENIED": (STOP, exceptions.PermissionDeniedError),
    "UNREGISTERED": (DEAD, messaging.UnregisteredError),
    "NOT_FOUND": (STOP, exceptions.NotFoundError),
    "QUOTA_EXCEEDED": (SLOWER, messaging.QuotaExceededError),
    "DEVICE_QUOTA_EXCEEDED": (SLOWER, messaging.QuotaExceededError),
    "TOPIC_QUOTA_EXCEEDED": (SLOWER, messaging.QuotaExceededError),
    "INTERNAL": (LATER, exceptions.InternalError),
    "BAD_GATEWAY": (LATER, exceptions.UnavailableError),
    "UNAVAILABLE": (LATER, exceptions.UnavailableError),
    "DEADLINE_EXCEEDED": (LATER, exceptions.DeadlineExceededError),
}


def outcome_of(stage: Stage, action: dict[str, Any], **changes: Any) -> Outcome:
    rule = {"match": {"provider": "fcm"}, "action": action, "times": changes.pop("times", None)}
    stage.script(rule)
    return deliver(stage.provider("fcm", **changes), stage.push("fcm"), targets_of("fcm", 1))[1]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("transport", ["wire", "library"])
def test_each_row_ends_in_its_outcome(row: str, transport: str, stage: Stage) -> None:
    outcome = outcome_of(stage, {"reason": row}, transport=transport)

    assert outcome.verdict is ROWS[row][0]
    assert outcome.reason
    assert outcome.proven is (row != "SENDER_ID_MISMATCH")
    assert (outcome.retry_after is not None) is (outcome.verdict in {LATER, SLOWER})


@pytest.mark.parametrize("row", ROWS)
def test_firebase_admin_sees_the_same_row(row: str, stage: Stage) -> None:
    stage.script({"match": {"provider": "fcm"}, "action": {"reason": row}})

    async def ask() -> messaging.SendResponse:
        provider = stage.provider("fcm", transport="library")
        library = provider._client()
        assert isinstance(library, Library)
        messages = [build_message({"data": {"a": "b"}}, targets_of("fcm", 1)[0].address)]
        batch = await asyncio.to_thread(messaging.send_each, messages, app=library.app)
        await provider.close()
        return batch.responses[0]

    assert type(asyncio.run(ask()).exception) is ROWS[row][1]


@pytest.mark.parametrize(
    ("action", "wait"),
    [
        ({"reason": "QUOTA_EXCEEDED", "retry_after": 7}, 7.0),
        ({"reason": "QUOTA_EXCEEDED"}, 60.0),
        ({"reason": "UNAVAILABLE", "retry_after": 300}, 300.0),
        ({"reason": "UNAVAILABLE", "retry_after": 1}, 10.0),
    ],
)
@pytest.mark.parametrize("transport", ["wire", "library"])
def test_a_wait_asked_for_reaches_the_outcome(
    action: dict[str, Any], wait: float, transport: str, stage: Stage
) -> None:
    assert outcome_of(stage, action, transport=transport).retry_after == wait


def test_a_wait_may_be_a_date(stage: Stage) -> None:
    asked = {"reason": "QUOTA_EXCEEDED", "retry_after": 120, "retry_after_form": "date"}
    assert outcome_of(stage, asked).retry_after == pytest.approx(120, abs=3)


@pytest.mark.parametrize("text", ["{}", "", "<html>ok</html>", '{"name": 7}', "[]"])
def test_a_200_without_a_name_is_uncertain(text: str, stage: Stage) -> None:
    assert outcome_of(stage, {"status": 200, "text": text}).verdict is Verdict.UNCERTAIN


def test_a_page_in_place_of_json_is_quoted(stage: Stage) -> None:
    outcome = outcome_of(stage, {"status": 502, "body": "html"})
    assert outcome.verdict is LATER
    assert outcome.reason.startswith("HTTP 502 <!DOCTYPE html>")


def test_an_error_that_is_a_string_is_survived(stage: Stage) -> None:
    outcome = outcome_of(stage, {"status": 400, "text": '{"error": "invalid"}'})
    assert outcome.verdict is NO
