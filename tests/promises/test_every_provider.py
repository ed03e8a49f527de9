"""The promise: pushes in, exactly one outcome each out, whatever the provider does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from delivery.providers.contract import Provider, Push, Target, Transport, Verdict
from delivery.providers.memory import Memory
from delivery.providers.runtime import Runtime
from tests.promises.stage import HELLO, Stage, collect, deliver, targets_of

COUNT = 60
HIT = {3, 17, 18, 40, 60}  # the token ids a condition touches

ACCEPTED, REJECTED, UNREGISTERED = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.UNREGISTERED
THROTTLED, UNAVAILABLE = Verdict.THROTTLED, Verdict.UNAVAILABLE
MISCONFIGURED, UNCERTAIN = Verdict.MISCONFIGURED, Verdict.UNCERTAIN


@dataclass(frozen=True)
class Condition:
    """What a provider does to some pushes, and what each of those may come to."""

    apns: dict[str, Any]
    fcm: dict[str, Any]
    memory: str
    verdicts: frozenset[Verdict]
    others: frozenset[Verdict] = frozenset({Verdict.ACCEPTED})


SHARED_FATE = frozenset({ACCEPTED, UNCERTAIN})
"""What may become of the pushes beside one whose connection suffers."""


def both(
    memory: str,
    *verdicts: Verdict,
    others: frozenset[Verdict] = frozenset({ACCEPTED}),
    **action: Any,
) -> Condition:
    return Condition(action, action, memory, frozenset(verdicts), others)


def each(memory: str, verdict: Verdict, *, apns: str, fcm: str) -> Condition:
    return Condition({"reason": apns}, {"reason": fcm}, memory, frozenset({verdict}))


CONDITIONS = {
    "accepts": both("accepted", ACCEPTED, delay_ms=1),
    "rejects": each("rejected", REJECTED, apns="BadMessageId", fcm="BAD_REQUEST"),
    "knows the token gone": each(
        "unregistered", UNREGISTERED, apns="Unregistered", fcm="UNREGISTERED"
    ),
    "throttles": each("throttled:30", THROTTLED, apns="TooManyRequests", fcm="QUOTA_EXCEEDED"),
    "is unwell": each("unavailable", UNAVAILABLE, apns="ServiceUnavailable", fcm="UNAVAILABLE"),
    "refuses the credential": each(
        "misconfigured", MISCONFIGURED, apns="InvalidProviderToken", fcm="PERMISSION_DENIED"
    ),
    "says something new": Condition(
        {"status": 499, "text": '{"reason":"Newfangled"}'},
        {"status": 499, "text": '{"error":{"status":"NEWFANGLED"}}'},
        "rejected",
        frozenset({REJECTED}),
    ),
    "answers nothing but a status": both("unavailable", UNAVAILABLE, status=500, body="empty"),
    "answers a web page": both("unavailable", UNAVAILABLE, status=503, body="html"),
    "answers in two parts": both("unavailable", UNAVAILABLE, status=503, body="split"),
    "falls silent": both("uncertain", UNCERTAIN, wire="stall"),
    "resets the stream": both("uncertain", UNCERTAIN, wire="reset", code=2),
    "cuts the answer": both(
        "uncertain",
        UNCERTAIN,
        UNAVAILABLE,
        wire="disconnect_mid_body",
        others=SHARED_FATE,
        status=503,
    ),
    "hangs up": both("uncertain", UNCERTAIN, wire="disconnect", others=SHARED_FATE),
    "goes silent altogether": both(
        "uncertain", UNCERTAIN, wire="stall_connection", others=SHARED_FATE
    ),
    "leaves in good order": both("accepted", ACCEPTED, goaway={"last": "all"}),
    "leaves without answering": both(
        "uncertain",
        UNCERTAIN,
        UNAVAILABLE,  # sent again and again above the last stream, then given up: provably unsent
        goaway={"last": "this", "order": "instead", "close": "now"},
        others=SHARED_FATE | {UNAVAILABLE},
    ),
}


@pytest.fixture(params=["memory", "apns", "fcm"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def push(name: str, stage: Stage) -> Push:
    if name == "memory":
        return Push(message=HELLO, notification_id=7, occurrence_id=70, transport=Transport.FCM)
    return stage.push(name)


@pytest.fixture
def act(name: str, stage: Stage) -> Callable[..., Provider]:
    """Give a provider under a condition, which touches the targets named, so many times each."""

    def prepare(condition: Condition, hit: list[Target], *, times: int | None = None) -> Provider:
        if name == "memory":
            return Memory({target.address: condition.memory for target in hit}, chunk=7)
        action = condition.apns if name == "apns" else condition.fcm
        stage.script(
            *(
                {"match": {"provider": name, "token": address}, "action": action, "times": times}
                for _, address in hit
            )
        )
        return stage.provider(name)

    return prepare


def hit_of(targets: list[Target]) -> list[Target]:
    return [target for target in targets if target.token_id in HIT]


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_each_target_has_one_outcome_when_the_provider(
    condition: Condition, name: str, push: Push, act: Callable[..., Provider], stage: Stage
) -> None:
    targets = targets_of(name, COUNT)

    outcomes = deliver(act(condition, hit_of(targets)), push, targets)

    assert {outcomes[token_id].verdict for token_id in HIT} <= condition.verdicts
    beside = {outcome.verdict for key, outcome in outcomes.items() if key not in HIT}
    assert beside <= condition.others
    assert stage.summary()["duplicates"]["by_notification_id"] == 0


def test_a_stream_refused_is_sent_again_and_accepted_once(
    name: str, push: Push, act: Callable[..., Provider], stage: Stage
) -> None:
    targets = targets_of(name, COUNT)
    refused_once = both("accepted", ACCEPTED, wire="refuse")

    outcomes = deliver(act(refused_once, hit_of(targets), times=1), push, targets)

    assert {outcome.verdict for outcome in outcomes.values()} == {ACCEPTED}
    assert stage.summary()["duplicates"]["by_notification_id"] == 0


def test_an_accepted_push_has_the_name_its_provider_gave_it(
    name: str, push: Push, act: Callable[..., Provider]
) -> None:
    outcomes = deliver(act(CONDITIONS["accepts"], []), push, targets_of(name, 2))

    # in production Apple knows a push by the id we gave it
    assert all(outcome.provider_ref or name == "apns" for outcome in outcomes.values())


def test_nobody_to_push_to_is_no_outcome(
    name: str, push: Push, act: Callable[..., Provider]
) -> None:
    assert deliver(act(CONDITIONS["accepts"], []), push, []) == {}


def test_leaving_midway_ends_at_once_and_the_next_batch_is_unaffected(
    name: str, push: Push, act: Callable[..., Provider]
) -> None:
    targets = targets_of(name, 400)
    provider = act(CONDITIONS["falls silent"], targets[-1:])

    async def leave_then_ask_again() -> int:
        chunks = provider.deliver(push, targets)
        first = await anext(chunks)
        await chunks.aclose()  # type: ignore[attr-defined]
        assert len(first) < len(targets)
        again = await collect(provider, push, targets[:50])
        await provider.close()
        return len(again)

    assert asyncio.run(asyncio.wait_for(leave_then_ask_again(), 5)) == 50


def test_batches_side_by_side_do_not_mix(
    name: str, push: Push, act: Callable[..., Provider]
) -> None:
    targets = targets_of(name, 300)
    provider = act(CONDITIONS["accepts"], [])

    async def three() -> list[int]:
        thirds = (targets[:100], targets[100:200], targets[200:])
        done = await asyncio.gather(*(collect(provider, push, third) for third in thirds))
        await provider.close()
        return [len(outcomes) for outcomes in done]

    assert asyncio.run(asyncio.wait_for(three(), 10)) == [100, 100, 100]


def test_after_closing_everything_is_unavailable(
    name: str, push: Push, act: Callable[..., Provider]
) -> None:
    provider = act(CONDITIONS["accepts"], [])

    async def close_then_ask() -> set[Verdict]:
        await collect(provider, push, targets_of(name, 1))
        await provider.close()
        late = await collect(provider, push, targets_of(name, 3))
        return {outcome.verdict for outcome in late.values()}

    assert asyncio.run(asyncio.wait_for(close_then_ask(), 10)) == {UNAVAILABLE}


def test_it_keeps_the_promise_on_a_workers_own_loop(
    name: str, push: Push, act: Callable[..., Provider]
) -> None:
    targets = targets_of(name, 500)
    provider = act(CONDITIONS["is unwell"], hit_of(targets))
    loop = Runtime()
    try:
        chunks = list(loop.stream(lambda: provider.deliver(push, targets), 10))
        loop.run(provider.close(), 5)
    finally:
        loop.close()
    outcomes = [outcome for chunk in chunks for outcome in chunk]
    assert sorted(outcome.token_id for outcome in outcomes) == list(range(1, 501))
    assert {outcome.token_id for outcome in outcomes if outcome.verdict is UNAVAILABLE} == HIT
