"""What firebase-admin as shipped gets wrong, and we do not; the rest is beside it (§6.2)."""

import threading
import warnings

import pytest

from delivery.message import RawMessage
from delivery.providers.contract import Verdict
from delivery.providers.fcm.client import build_message
from tests.promises.stage import Stage, address_of, deliver, service_account, targets_of

ACCEPTED = {Verdict.ACCEPTED}


def test_a_bearer_that_cannot_be_renewed_costs_only_those_refused_for_it(stage: Stage) -> None:
    """Trap 7: what was accepted before stays accepted, and everyone has an outcome."""
    odd = {"status": 200, "text": "{}"}
    stage.script(
        {"match": {"token": address_of("fcm", 5)}, "action": {"reason": "UNAUTHENTICATED"}},
        {"match": {"token": address_of("fcm", 6)}, "action": odd},
        {"match": {"provider": "oauth"}, "after": 1, "action": {"status": 503}},
    )
    outcomes = deliver(stage.provider("fcm"), stage.push("fcm"), targets_of("fcm", 40))
    assert outcomes.pop(5).verdict is Verdict.UNAVAILABLE
    assert outcomes.pop(6).verdict is Verdict.UNCERTAIN
    assert {outcome.verdict for outcome in outcomes.values()} == ACCEPTED


def test_a_thousand_messages_take_no_thread_and_hardly_a_connection_each(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traps 8 and 9: there is no thread for each, and more than 500 are no error."""
    started: list[threading.Thread] = []
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        started.append(thread)
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    outcomes = deliver(stage.provider("fcm"), stage.push("fcm"), targets_of("fcm", 1000))
    assert {outcome.verdict for outcome in outcomes.values()} == ACCEPTED
    assert len(started) <= 2  # one waits for a bearer, one takes leave of firebase-admin
    assert len({record["connection"] for record in stage.received(provider="fcm")}) <= 4


def test_a_message_to_a_token_warns_of_nothing() -> None:
    """Trap 16: its constructor warns in favour of `fid`, which devices do not hand out yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build_message({"data": {"k": "v"}}, "a-token").token == "a-token"


def test_an_account_of_another_universe_gets_its_bearer_all_the_same(stage: Stage) -> None:
    """Trap 18: google-auth would send a token it has signed itself, without asking for one."""
    secret = service_account(stage, universe_domain="other.example")
    provider = stage.provider("fcm", secret=secret)
    outcomes = deliver(provider, stage.push("fcm"), targets_of("fcm", 2))
    assert {outcome.verdict for outcome in outcomes.values()} == ACCEPTED
    assert stage.summary()["token_requests"] == 1


@pytest.mark.parametrize("priority", ["HIGH", "high"])
def test_both_spellings_of_a_priority_are_sent(priority: str, stage: Stage) -> None:
    """Trap 19."""
    raw = RawMessage(transport="fcm", payload={"android": {"priority": priority}})
    push = stage.push("fcm", message=raw)
    outcomes = deliver(stage.provider("fcm"), push, targets_of("fcm", 1))
    assert {outcome.verdict for outcome in outcomes.values()} == ACCEPTED
