"""What Google does to a project's sending, and what becomes of the messages (contract: §7)."""

import asyncio
import json
import threading
from typing import Any

import pytest

from delivery.message import RawMessage
from delivery.providers.contract import Outcome, Target, Verdict
from tests.promises.stage import (
    Stage,
    address_of,
    collect,
    deliver,
    service_account,
    targets_of,
)

ACCEPTED, UNAVAILABLE = Verdict.ACCEPTED, Verdict.UNAVAILABLE
MISCONFIGURED = Verdict.MISCONFIGURED


def verdicts(outcomes: dict[int, Outcome]) -> set[Verdict]:
    return {outcome.verdict for outcome in outcomes.values()}


def test_a_message_arrives_as_kumulos_sdk_wants_it(stage: Stage) -> None:
    outcome = deliver(stage.provider("fcm"), stage.push("fcm"), targets_of("fcm", 1))[1]
    sent = stage.received(provider="fcm")[0]
    assert sent["payload"]["message"]["token"] == address_of("fcm", 1)
    assert sent["payload"]["message"]["data"]["title"] == "Hello"
    assert sent["payload"]["message"]["android"] == {"priority": "NORMAL"}
    assert sent["headers"]["content-type"] == "application/json"
    assert outcome.provider_ref.startswith("projects/push-demo/messages/")


def test_both_transports_send_the_same_message(stage: Stage) -> None:
    for transport in ("wire", "library"):
        provider = stage.provider("fcm", transport=transport)
        assert verdicts(deliver(provider, stage.push("fcm"), targets_of("fcm", 3))) == {ACCEPTED}
    sent = [record["payload"]["message"] for record in stage.received(provider="fcm")]
    for message in sent:
        message["android"]["priority"] = message["android"]["priority"].upper()
    by_token = sorted(sent, key=lambda message: message["token"])
    assert len(by_token) == 6
    assert all(one == other for one, other in zip(by_token[::2], by_token[1::2], strict=True))


def test_a_token_of_any_text_is_sent_whole(stage: Stage) -> None:
    strange = ['quo"te', "back\\slash", "é", "line\nbreak", ""]
    targets = [Target(number, address) for number, address in enumerate(strange)]
    outcomes = deliver(stage.provider("fcm"), stage.push("fcm"), targets)
    assert ACCEPTED not in verdicts(outcomes)


def test_the_samples_of_the_simulator_behave_by_name(stage: Stage) -> None:
    tokens = stage.facts["tokens"]
    names = ["fcm_ok", "fcm_gone", "fcm_foreign"]
    targets = [Target(number, tokens[name]) for number, name in enumerate(names)]
    outcomes = deliver(stage.provider("fcm"), stage.push("fcm"), targets)
    assert [outcomes[number].verdict for number in range(3)] == [
        ACCEPTED,
        Verdict.UNREGISTERED,
        Verdict.UNREGISTERED,
    ]
    assert outcomes[1].proven
    assert not outcomes[2].proven


@pytest.mark.parametrize("accepted_first", [True, False])
def test_an_invalid_token_is_dead_where_the_payload_was_good_for_another(
    accepted_first: bool, stage: Stage
) -> None:
    bad = Target(9, "nonsense")
    good = targets_of("fcm", 1)
    targets = [*good, bad] if accepted_first else [bad, *good]
    outcomes = deliver(stage.provider("fcm"), stage.push("fcm"), targets)
    assert outcomes[9].verdict is Verdict.UNREGISTERED
    assert outcomes[1].verdict is ACCEPTED


def test_an_invalid_token_alone_is_rejected_for_it_may_be_the_payload(stage: Stage) -> None:
    outcomes = deliver(stage.provider("fcm"), stage.push("fcm"), [Target(9, "nonsense")])
    assert outcomes[9].verdict is Verdict.REJECTED


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"data": {"from": "me"}}, "reserves"),
        ({"data": {"a": "x" * 5000}}, "too large"),
        ({"data": {}, "android": {"priority": "urgent"}}, "AndroidConfig.priority"),
    ],
)
def test_a_message_google_would_refuse_is_not_sent(
    payload: dict[str, Any], words: str, stage: Stage
) -> None:
    push = stage.push("fcm", message=RawMessage(transport="fcm", payload=payload))
    outcomes = deliver(stage.provider("fcm"), push, targets_of("fcm", 2))
    assert verdicts(outcomes) == {Verdict.REJECTED}
    assert words in outcomes[1].reason
    assert stage.received() == []


def test_the_library_refuses_what_it_cannot_say(stage: Stage) -> None:
    raw = RawMessage(transport="fcm", payload={"notification": {"title": "x"}})
    provider = stage.provider("fcm", transport="library")
    outcomes = deliver(provider, stage.push("fcm", message=raw), targets_of("fcm", 2))
    assert verdicts(outcomes) == {Verdict.REJECTED}


def test_a_storm_of_503_is_answered_with_one_try_each(stage: Stage) -> None:
    """Contract §7.9: as shipped, firebase-admin hangs here or sends five times."""
    unwell = {"reason": "UNAVAILABLE", "retry_after": 30}
    stage.script({"match": {"provider": "fcm"}, "action": unwell})
    outcomes = deliver(stage.provider("fcm"), stage.push("fcm"), targets_of("fcm", 300))
    assert {(one.verdict, one.retry_after) for one in outcomes.values()} == {(UNAVAILABLE, 30.0)}
    assert len(stage.received(provider="fcm")) == 300


def test_cold_batches_side_by_side_share_one_access_token(stage: Stage) -> None:
    async def many() -> None:
        provider = stage.provider("fcm")
        targets = targets_of("fcm", 50)
        batches = (targets[at : at + 5] for at in range(0, 50, 5))
        await asyncio.gather(*(collect(provider, stage.push("fcm"), one) for one in batches))
        await provider.close()

    asyncio.run(asyncio.wait_for(many(), 10))
    assert stage.summary()["token_requests"] == 1


def test_the_access_token_is_good_for_messaging_and_nothing_else(stage: Stage) -> None:
    import jwt

    deliver(stage.provider("fcm"), stage.push("fcm"), targets_of("fcm", 1))
    form = stage.received(provider="oauth")[0]["payload"]
    claims = jwt.decode(form.partition("assertion=")[2], options={"verify_signature": False})
    assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
    assert claims["aud"] == "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize("transport", ["wire", "library"])
def test_an_access_token_that_ends_midway_is_renewed_once(transport: str, stage: Stage) -> None:
    async def expire_between() -> list[set[Verdict]]:
        provider = stage.provider("fcm", transport=transport)
        push, seen = stage.push("fcm"), []
        seen.append(verdicts(await collect(provider, push, targets_of("fcm", 30))))
        stage.running.control.post("/fcm/bearers/expire")
        seen.append(verdicts(await collect(provider, push, targets_of("fcm", 30))))
        await provider.close()
        return seen

    assert asyncio.run(asyncio.wait_for(expire_between(), 10)) == [{ACCEPTED}, {ACCEPTED}]
    assert stage.summary()["token_requests"] == 2


def test_an_access_token_refused_twice_is_a_matter_for_the_operator(stage: Stage) -> None:
    stage.script({"match": {"provider": "fcm"}, "action": {"reason": "UNAUTHENTICATED"}})
    outcomes = deliver(stage.provider("fcm"), stage.push("fcm"), targets_of("fcm", 20))
    assert verdicts(outcomes) == {MISCONFIGURED}
    summary = stage.summary()
    assert summary["token_requests"] == 2
    assert summary["answers"]["fcm"]["UNAUTHENTICATED"] == 40


def test_a_bad_apns_key_at_google_does_not_cost_access_tokens(stage: Stage) -> None:
    """Contract §7.11; firebase-admin refreshes on any 401."""
    stage.script({"match": {"provider": "fcm"}, "action": {"reason": "THIRD_PARTY_AUTH_ERROR"}})
    outcomes = deliver(stage.provider("fcm"), stage.push("fcm"), targets_of("fcm", 20))
    assert {(one.verdict, one.reason.split()[0]) for one in outcomes.values()} == {
        (MISCONFIGURED, "THIRD_PARTY_AUTH_ERROR")
    }
    assert stage.summary()["token_requests"] == 1


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        ({"status": 503}, UNAVAILABLE),
        ({"status": 429, "retry_after": 40}, UNAVAILABLE),
        ({"wire": "disconnect"}, UNAVAILABLE),
        ({"status": 200, "text": "<html>"}, UNAVAILABLE),
        ({"reason": "invalid_grant", "status": 400}, MISCONFIGURED),
        ({"reason": "invalid_client", "status": 401}, MISCONFIGURED),
    ],
    ids=["503", "429", "hangs up", "a page", "invalid_grant", "invalid_client"],
)
def test_without_an_access_token_the_whole_project_rests(
    action: dict[str, Any], verdict: Verdict, stage: Stage
) -> None:
    """Contract §7.10: three batches, one question, no message sent, none lost."""
    stage.script({"match": {"provider": "oauth"}, "action": action})

    async def three() -> list[dict[int, Outcome]]:
        provider = stage.provider("fcm")
        push = stage.push("fcm")
        side_by_side = (collect(provider, push, targets_of("fcm", 10)) for _ in range(3))
        done = await asyncio.gather(*side_by_side)
        await provider.close()
        return done

    done = asyncio.run(asyncio.wait_for(three(), 10))
    assert [verdicts(outcomes) for outcomes in done] == [{verdict}] * 3
    told = {outcome.outage for outcomes in done for outcome in outcomes.values()}
    assert told == {verdict is UNAVAILABLE}
    waits = {outcome.retry_after for outcomes in done for outcome in outcomes.values()}
    assert all(wait is not None and wait > 1 for wait in waits)
    summary = stage.summary()
    assert summary["token_requests"] == 1
    assert "fcm" not in summary["answers"]


def test_a_batch_that_has_leave_to_send_is_not_refused_for_an_older_failure(
    stage: Stage,
) -> None:
    """Another process may have found the project well, or an operator said that it is."""
    rule = {"match": {"provider": "oauth"}, "action": {"status": 503}, "times": 1}
    stage.script(rule)

    async def twice() -> list[set[Verdict]]:
        provider, push = stage.provider("fcm"), stage.push("fcm")
        first = await collect(provider, push, targets_of("fcm", 3))
        second = await collect(provider, push, targets_of("fcm", 3))
        await provider.close()
        return [verdicts(first), verdicts(second)]

    assert asyncio.run(asyncio.wait_for(twice(), 10)) == [{UNAVAILABLE}, {ACCEPTED}]


def test_a_silent_token_endpoint_is_left_in_bounded_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delivery.providers.fcm.bearer.TIMEOUT", 0.3)
    stage.script({"match": {"provider": "oauth"}, "action": {"wire": "stall"}})
    outcomes = deliver(stage.provider("fcm"), stage.push("fcm"), targets_of("fcm", 3), within=3)
    assert verdicts(outcomes) == {UNAVAILABLE}


def test_another_projects_account_drops_no_token(stage: Stage) -> None:
    """Contract §7.12: a 404 without FcmError speaks of the project."""
    provider = stage.provider("fcm", secret=service_account(stage, project_id="no-such-project"))
    outcomes = deliver(provider, stage.push("fcm"), targets_of("fcm", 5))
    assert verdicts(outcomes) == {MISCONFIGURED}


@pytest.mark.parametrize(
    "changes",
    [
        {"private_key": "nonsense"},
        {"private_key": 5},
        {"client_email": None},
        {"token_uri": "http://127.0.0.1/token"},
        {"project_id": ""},
    ],
    ids=["key", "type", "email", "plain http", "project"],
)
def test_an_account_nobody_could_use_is_misconfigured(
    changes: dict[str, Any], stage: Stage
) -> None:
    provider = stage.provider("fcm", secret=service_account(stage, **changes))
    outcomes = deliver(provider, stage.push("fcm"), targets_of("fcm", 2))
    assert verdicts(outcomes) == {MISCONFIGURED}
    assert stage.received() == []


def test_a_secret_that_is_no_account_is_misconfigured(stage: Stage) -> None:
    outcomes = deliver(stage.provider("fcm", secret="x"), stage.push("fcm"), targets_of("fcm", 2))
    assert verdicts(outcomes) == {MISCONFIGURED}


def test_nobody_at_the_door_is_unavailable_and_provably_unsent(stage: Stage) -> None:
    for transport in ("wire", "library"):
        provider = stage.provider("fcm", transport=transport, endpoint="https://127.0.0.1:1")
        outcomes = deliver(provider, stage.push("fcm"), targets_of("fcm", 5))
        assert verdicts(outcomes) == {UNAVAILABLE}


def test_a_message_taken_whose_answer_is_lost_is_uncertain_and_not_repeated(stage: Stage) -> None:
    stage.script({"match": {"provider": "fcm"}, "action": {"wire": "disconnect", "accept": True}})
    for transport in ("wire", "library"):
        provider = stage.provider("fcm", transport=transport)
        outcomes = deliver(provider, stage.push("fcm"), targets_of("fcm", 1))
        assert verdicts(outcomes) == {Verdict.UNCERTAIN}
    assert len(stage.received(provider="fcm")) == 2


def test_nothing_but_endpoint_and_token_uri_is_ever_connected(
    stage: Stage, dialled: list[str]
) -> None:
    """Contract §7.14: as shipped, google-auth asks a third host about regional boundaries."""
    for transport in ("wire", "library"):
        deliver(stage.provider("fcm", transport=transport), stage.push("fcm"), targets_of("fcm", 5))
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(1)
    assert set(dialled) == {"127.0.0.1"}


def test_no_app_of_firebase_admin_outlives_its_provider(stage: Stage) -> None:
    import firebase_admin

    for transport in ("wire", "library"):
        deliver(stage.provider("fcm", transport=transport), stage.push("fcm"), targets_of("fcm", 1))
    assert firebase_admin._apps == {}


def test_a_secret_never_shows_in_an_outcome(stage: Stage) -> None:
    secret = service_account(stage)
    key = json.loads(secret)["private_key"]
    broken = service_account(stage, private_key=key[:200])
    outcomes = deliver(
        stage.provider("fcm", secret=broken), stage.push("fcm"), targets_of("fcm", 1)
    )
    assert key[60:120] not in outcomes[1].reason
