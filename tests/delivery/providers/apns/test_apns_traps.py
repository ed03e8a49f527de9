"""What aioapns as shipped gets wrong, and we do not; the rest is beside it (contract: §6.1)."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from delivery.message import RawMessage
from delivery.providers.contract import Verdict
from tests.promises.stage import IMPATIENT, Stage, collect, deliver, targets_of

ACCEPTED = {Verdict.ACCEPTED}


def verdicts(outcomes: dict[int, Any]) -> set[Verdict]:
    return {outcome.verdict for outcome in outcomes.values()}


def test_a_limit_raised_while_a_push_is_in_flight_is_used_in_full(stage: Stage) -> None:
    """Trap 2: the first push is in flight when Apple raises the limit from 1 to 1000."""
    stage.script(apns={"latency_ms": 50})
    outcomes = deliver(stage.provider("apns"), stage.push("apns"), targets_of("apns", 400))
    assert verdicts(outcomes) == ACCEPTED
    assert stage.summary()["traffic"]["apns"]["max_streams_seen"] > 300


def test_all_connections_of_a_key_carry_one_provider_token(stage: Stage) -> None:
    """Trap 13."""
    stage.script(apns={"max_streams": 4, "latency_ms": 20})
    policy = replace(IMPATIENT, request_timeout=5.0)
    provider = stage.provider("apns", policy=policy)
    assert verdicts(deliver(provider, stage.push("apns"), targets_of("apns", 200))) == ACCEPTED
    received = stage.received()
    assert len({record["connection"] for record in received}) > 1
    assert len({record["headers"]["authorization"] for record in received}) == 1


def test_one_attempt_that_is_not_stored_can_be_asked_for(stage: Stage) -> None:
    """Trap 16: `apns-expiration: 0` is no point in time."""
    once = RawMessage(
        transport="apns", payload={"aps": {"alert": "x"}}, headers={"apns-expiration": "0"}
    )
    deliver(stage.provider("apns"), stage.push("apns", message=once), targets_of("apns", 1))
    assert stage.received()[0]["headers"]["apns-expiration"] == "0"


def test_a_payload_that_is_no_json_opens_no_stream_and_harms_no_later_push(stage: Stage) -> None:
    """Trap 21: bodies are bytes before there is a stream."""
    impossible = RawMessage(transport="apns", payload={"aps": {"alert": {1, 2}}})

    async def impossible_then_possible() -> set[Verdict]:
        provider = stage.provider("apns")
        with pytest.raises(TypeError):
            await collect(provider, stage.push("apns", message=impossible), targets_of("apns", 9))
        assert stage.summary()["received"] == 0
        outcomes = await collect(provider, stage.push("apns"), targets_of("apns", 9))
        await provider.close()
        return verdicts(outcomes)

    assert asyncio.run(asyncio.wait_for(impossible_then_possible(), 10)) == ACCEPTED
