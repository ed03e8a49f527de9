"""Each row of the decision table for APNs, from a server's answer to an outcome."""

import time
from typing import Any

import pytest

from delivery.providers.contract import Outcome, Verdict
from tests.delivery.providers.apns.test_apns_verdicts import ROWS
from tests.promises.stage import Stage, deliver, targets_of

ERRORS = {key: ruling for key, ruling in ROWS.items() if key[0] != 200}
IDS = [f"{status}-{word}" for status, word in ERRORS]


def outcome_of(stage: Stage, action: dict[str, Any], **changes: Any) -> Outcome:
    rule = {"match": {"provider": "apns"}, "action": action, "times": changes.pop("times", None)}
    stage.script(rule)
    provider = stage.provider("apns", **changes)
    return deliver(provider, stage.push("apns"), targets_of("apns", 1))[1]


@pytest.mark.parametrize("answer", ERRORS, ids=IDS)
@pytest.mark.parametrize("transport", ["wire", "library"])
def test_each_row_ends_in_its_outcome(
    answer: tuple[int, str], transport: str, stage: Stage
) -> None:
    ruling, reason = ERRORS[answer], answer[1]

    outcome = outcome_of(stage, {"reason": reason}, transport=transport)

    assert outcome.verdict is ruling.verdict
    assert outcome.reason == reason
    assert outcome.retry_after == ruling.retry_after
    assert outcome.proven is ruling.proven
    assert outcome.elsewhere is ruling.elsewhere


@pytest.mark.parametrize("reason", ["ExpiredProviderToken", "UnrelatedKeyIdInToken", "Shutdown"])
def test_what_a_remedy_cures_is_accepted_the_second_time(reason: str, stage: Stage) -> None:
    assert outcome_of(stage, {"reason": reason}, times=1).verdict is Verdict.ACCEPTED
    tried = stage.received(provider="apns")
    assert [record["verdict"] for record in tried] == [reason, "accepted"]
    assert tried[0]["connection"] != tried[1]["connection"]


def test_a_token_called_expired_is_not_sent_again(stage: Stage) -> None:
    outcome_of(stage, {"reason": "ExpiredProviderToken"}, times=1)
    first, second = (record["headers"]["authorization"] for record in stage.received())
    assert first != second


@pytest.mark.parametrize(
    ("asked", "wait"), [({"retry_after": 2000}, 2000.0), ({"retry_after": 5}, 900.0)]
)
def test_a_longer_wait_than_ours_is_respected(
    asked: dict[str, Any], wait: float, stage: Stage
) -> None:
    outcome = outcome_of(stage, {"reason": "ServiceUnavailable", **asked})
    assert outcome.retry_after == wait


@pytest.mark.parametrize(("when", "sign"), [("past", -1), ("future", 1)])
def test_a_death_is_dated(when: str, sign: int, stage: Stage) -> None:
    outcome = outcome_of(stage, {"reason": "Unregistered", "timestamp": when})
    assert outcome.died_at is not None
    assert (outcome.died_at.timestamp() - time.time()) * sign > 3000


@pytest.mark.parametrize("timestamp", [10**30, -(10**30)])
def test_an_absurd_date_is_none(timestamp: int, stage: Stage) -> None:
    text = f'{{"reason":"Unregistered","timestamp":{timestamp}}}'
    outcome = outcome_of(stage, {"status": 410, "text": text})
    assert (outcome.verdict, outcome.died_at) == (Verdict.UNREGISTERED, None)


@pytest.mark.parametrize("apns_id", ["missing", "upper", "other"])
def test_an_answer_belongs_to_its_stream_whatever_id_it_bears(apns_id: str, stage: Stage) -> None:
    assert outcome_of(stage, {"apns_id": apns_id}).verdict is Verdict.ACCEPTED


def test_a_new_reason_keeps_apples_words(stage: Stage) -> None:
    outcome = outcome_of(stage, {"status": 400, "text": '{"reason":"Newfangled"}'})
    assert (outcome.verdict, outcome.reason) == (Verdict.REJECTED, "Newfangled")


def test_a_page_in_place_of_json_is_quoted(stage: Stage) -> None:
    outcome = outcome_of(stage, {"status": 502, "body": "html"})
    assert outcome.verdict is Verdict.UNAVAILABLE
    assert outcome.reason.startswith("HTTP 502 <!DOCTYPE html>")
