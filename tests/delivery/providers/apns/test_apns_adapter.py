"""What APNs does to a connection, and what becomes of the pushes (contract: providers §7)."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from delivery.message import Message, RawMessage
from delivery.providers.contract import Environment, Outcome, Target, Transport, Verdict
from tests.promises.stage import IMPATIENT, Stage, address_of, collect, deliver, targets_of

ACCEPTED, UNCERTAIN = Verdict.ACCEPTED, Verdict.UNCERTAIN


def verdicts(outcomes: dict[int, Outcome]) -> set[Verdict]:
    return {outcome.verdict for outcome in outcomes.values()}


def test_a_push_arrives_with_the_headers_apple_wants(stage: Stage) -> None:
    push = stage.push("apns", expires_at=datetime.now(UTC) + timedelta(hours=1))
    outcome = deliver(stage.provider("apns"), push, [Target(5, address_of("apns", 1))])[5]
    headers = stage.received()[0]["headers"]
    assert headers["apns-id"] == push.push_id(5)
    assert outcome.provider_ref == ""  # it goes by the id we gave
    assert headers["apns-topic"] == push.topic
    assert headers["apns-push-type"] == "alert"
    assert headers["apns-priority"] == "10"
    assert headers["apns-collapse-id"] == "o70"
    assert headers["apns-expiration"] == str(int(push.expires_at.timestamp()))
    assert headers["authorization"].startswith("bearer ")


def test_a_replay_carries_the_same_id_and_collapse_id(stage: Stage) -> None:
    for _ in range(2):
        deliver(stage.provider("apns"), stage.push("apns"), targets_of("apns", 1))
    first, second = (record["headers"] for record in stage.received())
    assert first["apns-id"] == second["apns-id"]
    assert first["apns-collapse-id"] == second["apns-collapse-id"]
    assert first["authorization"] == second["authorization"]


def test_a_certificate_opens_the_door_too(stage: Stage) -> None:
    pem = stage.text(stage.facts["apns"]["certificate_file"])
    provider = stage.provider("apns", kind="certificate", secret=pem, facts={})
    outcomes = deliver(provider, stage.push("apns", topic=""), targets_of("apns", 3))
    assert verdicts(outcomes) == {ACCEPTED}
    headers = stage.received()[0]["headers"]
    assert headers["apns-topic"] == stage.facts["apns"]["topic"]
    assert "authorization" not in headers


def test_a_certificate_leaves_no_file_behind(stage: Stage, tmp_path: Path) -> None:
    pem = stage.text(stage.facts["apns"]["certificate_file"])
    provider = stage.provider("apns", kind="certificate", secret=pem, facts={})
    deliver(provider, stage.push("apns"), targets_of("apns", 1))
    assert not [link for link in Path("/proc/self/fd").iterdir() if "memfd" in str(link.resolve())]


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "nonsense"},
        {"facts": {}},
        {"ca_pem": "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"},
        {"endpoint": "http://localhost"},
        {"secret": "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"},
    ],
    ids=["secret", "ids", "authority", "endpoint", "certificate"],
)
def test_a_credential_nobody_could_use_is_misconfigured(
    changes: dict[str, Any], stage: Stage
) -> None:
    outcomes = deliver(stage.provider("apns", **changes), stage.push("apns"), targets_of("apns", 2))
    assert verdicts(outcomes) == {Verdict.MISCONFIGURED}
    assert stage.received() == []


def test_a_push_apple_would_refuse_is_not_sent(stage: Stage) -> None:
    push = stage.push("apns", message=Message(title="x" * 5000, body=""))
    outcomes = deliver(stage.provider("apns"), push, targets_of("apns", 2))
    assert verdicts(outcomes) == {Verdict.REJECTED}
    assert "too large" in outcomes[1].reason
    assert stage.received() == []


def test_voip_pushes_have_their_own_topic_and_size(stage: Stage) -> None:
    raw = RawMessage(transport="apns_voip", payload={"aps": {}, "x": "y" * 5000})
    push = stage.push("apns", message=raw, transport=Transport.APNS_VOIP)
    assert verdicts(deliver(stage.provider("apns"), push, targets_of("apns", 1))) == {ACCEPTED}
    headers = stage.received()[0]["headers"]
    assert headers["apns-topic"] == f"{stage.facts['apns']['topic']}.voip"
    assert headers["apns-push-type"] == "voip"


def test_apples_log_key_is_kept_in_the_sandbox(stage: Stage) -> None:
    stage.script(apns={"environment": "sandbox"})
    push = stage.push("apns", environment=Environment.SANDBOX)
    outcome = deliver(stage.provider("apns"), push, targets_of("apns", 1))[1]
    assert outcome.provider_ref
    assert outcome.provider_ref != push.push_id(1)


def test_a_strange_token_cannot_leave_its_path(stage: Stage) -> None:
    strange = ["../../1/apps", "a b", "é", "", "a?b#c", "x" * 3000]
    targets = [Target(number, address) for number, address in enumerate(strange)]
    outcomes = deliver(stage.provider("apns"), stage.push("apns"), targets)
    assert ACCEPTED not in verdicts(outcomes)
    assert all(record["path"].startswith("/3/device/") for record in stage.received())


def test_the_samples_of_the_simulator_behave_by_name(stage: Stage) -> None:
    tokens = stage.facts["tokens"]
    names = ["apns_ok", "apns_gone", "apns_other_topic"]
    targets = [Target(number, tokens[name]) for number, name in enumerate(names)]
    outcomes = deliver(stage.provider("apns"), stage.push("apns"), targets)
    assert [outcomes[number].verdict for number in range(3)] == [
        ACCEPTED,
        Verdict.UNREGISTERED,
        Verdict.UNREGISTERED,
    ]
    assert outcomes[1].proven
    assert not outcomes[2].proven


def test_one_bad_token_among_many_harms_nobody_else(stage: Stage) -> None:
    """Contract §7.1: a rejection drops the limit to one stream and resets those beyond it."""
    bad = address_of("apns", 150)
    stage.script(
        {"match": {"token": bad}, "action": {"reason": "BadDeviceToken"}},
        apns={
            "strict_stream_limit_after_reject": True,
            "over_limit": "refuse",
            "latency_ms": 20,
        },
    )
    # a busy machine may take a second over the one stream that is left
    provider = stage.provider("apns", policy=replace(IMPATIENT, request_timeout=5.0))
    outcomes = deliver(provider, stage.push("apns"), targets_of("apns", 600))
    assert outcomes.pop(150).reason == "BadDeviceToken"
    assert verdicts(outcomes) == {ACCEPTED}
    summary = stage.summary()
    assert summary["accepted"]["apns"] == 599
    assert summary["duplicates"]["by_apns_id"] == 0
    assert summary["traffic"]["apns"]["streams_refused"] > 0


def test_a_cold_start_respects_the_single_stream(stage: Stage) -> None:
    """Contract §7.2: with a provider token there is one stream until a push was accepted."""
    outcomes = deliver(stage.provider("apns"), stage.push("apns"), targets_of("apns", 200))
    assert verdicts(outcomes) == {ACCEPTED}
    traffic = stage.summary()["traffic"]["apns"]
    assert (traffic["violations"], traffic["streams_refused"]) == (0, 0)


def test_two_thousand_dead_tokens_in_a_row_do_not_run_a_connection_dry(stage: Stage) -> None:
    """Contract §7.3."""
    stage.script({"action": {"reason": "Unregistered"}})
    policy = replace(IMPATIENT, max_connections=1)
    provider = stage.provider("apns", policy=policy)
    outcomes = deliver(provider, stage.push("apns"), targets_of("apns", 2000))
    assert verdicts(outcomes) == {Verdict.UNREGISTERED}
    assert stage.summary()["traffic"]["apns"]["connections_opened"] == 1


def test_large_bodies_at_a_distance_do_not_leak_streams(stage: Stage) -> None:
    """Contract §7.3: windows of 64 KiB hold 60 such bodies, and answers take 60 ms."""
    stage.script(apns={"latency_ms": 60})
    push = stage.push("apns", message=Message(title="x" * 1000, body=""))

    async def bursts() -> list[int]:
        provider = stage.provider("apns")
        sizes = []
        for _ in range(2):
            outcomes = await collect(provider, push, targets_of("apns", 300))
            assert verdicts(outcomes) == {ACCEPTED}
            sizes.append(len(outcomes))
        await provider.close()
        return sizes

    assert asyncio.run(asyncio.wait_for(bursts(), 10)) == [300, 300]


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_shutdown_in_mid_burst_loses_and_doubles_nothing(order: str, stage: Stage) -> None:
    """Contract §7.4: what is above the last stream goes elsewhere, what is below is answered."""
    goaway = {"last": "this", "order": order, "reason": "Shutdown"}
    stage.script({"action": {"goaway": goaway}, "after": 50, "every": 100, "times": 4})
    outcomes = deliver(stage.provider("apns"), stage.push("apns"), targets_of("apns", 600))
    assert verdicts(outcomes) == {ACCEPTED}
    summary = stage.summary()
    assert summary["accepted"]["apns"] == 600
    assert summary["duplicates"]["by_apns_id"] == 0


def test_silence_ends_in_uncertainty_and_harms_no_later_push(stage: Stage) -> None:
    """Contract §7.5."""
    stage.script({"match": {"token": address_of("apns", 2)}, "action": {"wire": "stall"}})

    async def twice() -> tuple[dict[int, Outcome], dict[int, Outcome]]:
        provider = stage.provider("apns")
        first = await collect(provider, stage.push("apns"), targets_of("apns", 20))
        stage.script()
        second = await collect(provider, stage.push("apns"), targets_of("apns", 20))
        await provider.close()
        return first, second

    first, second = asyncio.run(asyncio.wait_for(twice(), 5))
    assert first.pop(2).verdict is UNCERTAIN
    assert verdicts(first) == verdicts(second) == {ACCEPTED}


def test_our_clock_being_late_is_cured_once_with_a_fresh_token(stage: Stage) -> None:
    """Contract §7.6: the grid makes our token 15 minutes old at most; Apple's clock adds 50."""
    stage.script(apns={"clock_offset_s": 3590})
    outcomes = deliver(stage.provider("apns"), stage.push("apns"), targets_of("apns", 20))
    assert verdicts(outcomes) == {ACCEPTED}


def test_our_clock_being_hours_late_stops_us(stage: Stage) -> None:
    """Contract §4: ExpiredProviderToken a second time is a matter for the operator."""
    stage.script(apns={"clock_offset_s": 9000})
    outcomes = deliver(stage.provider("apns"), stage.push("apns"), targets_of("apns", 20))
    assert verdicts(outcomes) == {Verdict.MISCONFIGURED}
    assert len(stage.received()) <= 40


def test_a_revoked_key_stops_us(stage: Stage) -> None:
    control = stage.running.control
    key = control.post("/apns/keys", {})
    facts = {"key_id": key["key_id"], "team_id": key["team_id"]}
    pushing = {"secret": key["private_key"], "facts": facts}
    push, targets = stage.push("apns"), targets_of("apns", 2)
    assert verdicts(deliver(stage.provider("apns", **pushing), push, targets)) == {ACCEPTED}
    control.delete(f"/apns/keys/{key['key_id']}")
    refused = deliver(stage.provider("apns", **pushing), push, targets)
    assert verdicts(refused) == {Verdict.MISCONFIGURED}


def test_the_wrong_environment_proves_no_death(stage: Stage) -> None:
    """Contract §7.8: it looks just like malformed tokens."""
    issued = {"provider": "apns", "environment": "sandbox", "count": 20}
    tokens = stage.running.control.post("/tokens", issued)["tokens"]
    stage.script(apns={"environment": "production"})
    targets = [Target(number, token) for number, token in enumerate(tokens)]
    outcomes = deliver(stage.provider("apns"), stage.push("apns"), targets)
    assert {(one.verdict, one.reason, one.proven) for one in outcomes.values()} == {
        (Verdict.UNREGISTERED, "BadDeviceToken", False)
    }


def test_nobody_at_the_door_is_unavailable_and_provably_unsent(stage: Stage) -> None:
    provider = stage.provider("apns", endpoint="https://127.0.0.1:1")
    outcomes = deliver(provider, stage.push("apns"), targets_of("apns", 5))
    assert verdicts(outcomes) == {Verdict.UNAVAILABLE}


def test_a_server_of_another_authority_is_a_matter_for_the_operator(stage: Stage) -> None:
    provider = stage.provider("apns", ca_pem="")
    outcomes = deliver(provider, stage.push("apns"), targets_of("apns", 2))
    assert verdicts(outcomes) == {Verdict.MISCONFIGURED}


@contextmanager
def unwelcoming(stage: Stage) -> Iterator[str]:
    """Give the address of a server that wants a certificate and knows none of ours."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(stage.facts["ca_file"]).parent / "server.pem")
    context.load_default_certs(ssl.Purpose.CLIENT_AUTH)  # the simulator's authority is not there
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])

    def refuse(server: socket.socket) -> None:
        with suppress(OSError):  # how it learns that the test is over
            while True:
                caller, _ = server.accept()
                caller.settimeout(2)
                with caller, suppress(OSError):  # blocking, because asyncio swallows the alert
                    context.wrap_socket(caller, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        thread = threading.Thread(target=refuse, args=[server])
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize("known", ["key", "certificate"])
def test_a_certificate_missing_or_unknown_is_a_matter_for_the_operator(
    known: str, stage: Stage
) -> None:
    """The refusal is a TLS alert, and with TLS 1.3 it comes after our side of the handshake."""
    changes: dict[str, Any] = {}
    if known == "certificate":
        pem = stage.text(stage.facts["apns"]["certificate_file"])
        changes = {"kind": "certificate", "secret": pem, "facts": {}}
    with unwelcoming(stage) as endpoint:
        provider = stage.provider("apns", endpoint=endpoint, **changes)
        outcomes = deliver(provider, stage.push("apns"), targets_of("apns", 3))
    assert {(one.verdict, "alert" in one.reason.lower()) for one in outcomes.values()} == {
        (Verdict.MISCONFIGURED, True)
    }


def test_a_goaway_about_the_certificate_is_a_matter_for_the_operator(stage: Stage) -> None:
    goaway = {"last": "previous", "reason": "BadCertificate", "close": "now"}
    stage.script({"action": {"goaway": goaway}})
    outcomes = deliver(stage.provider("apns"), stage.push("apns"), targets_of("apns", 20))
    assert Verdict.MISCONFIGURED in verdicts(outcomes)
    assert verdicts(outcomes) <= {Verdict.MISCONFIGURED, UNCERTAIN}
    assert stage.summary()["traffic"]["apns"]["connections_opened"] < 10


def test_nothing_but_the_endpoint_is_ever_connected(stage: Stage, dialled: list[str]) -> None:
    """Contract §7.14."""
    for transport in ("wire", "library"):
        provider = stage.provider("apns", transport=transport)
        deliver(provider, stage.push("apns"), targets_of("apns", 20))
    assert set(dialled) == {"127.0.0.1"}
