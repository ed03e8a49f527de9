"""Who may push: provider tokens, what binds a connection, certificates."""

import base64
import ssl
import time
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.simulator.plain_clients import MISSING, Apple

TOKEN = "cd" * 32


def in_der(apple: Apple) -> str:
    """Return a provider token whose signature is DER, like the one in Apple's own sample."""
    signed = apple.mint().rpartition(".")[0]
    pem = Path(apple.facts["apns"]["key_file"]).read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    signature = key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_signature_in_der_is_as_good_as_a_raw_one(simulator):
    with httpx.Client(http2=True, verify=simulator.tls(), trust_env=False) as client:
        apple = Apple(simulator.facts, client)
        apple.bearer = in_der(apple)
        assert apple.push(TOKEN).status_code == 200


def test_no_token_and_no_certificate_is_refused(apple):
    assert apple.reason(TOKEN, authorization=MISSING) == "403 MissingProviderToken"


@pytest.mark.parametrize(
    "changes",
    [
        {"key_id": "ABCDEFGHIJ"},
        {"team_id": "ABCDEFGHIJ"},
        {"issued_at": "yesterday"},
        {"issued_at": int(time.time()) + 86_400},
    ],
)
def test_a_wrong_claim_is_an_invalid_token(apple, changes):
    bearer = apple.mint(**changes)
    assert apple.reason(TOKEN, authorization=f"bearer {bearer}") == "403 InvalidProviderToken"


def test_another_key_under_our_key_id_is_found_out(apple):
    fresh = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    bearer = apple.mint(key=fresh.decode())
    assert apple.reason(TOKEN, authorization=f"bearer {bearer}") == "403 InvalidProviderToken"


@pytest.mark.parametrize("authorization", ["Bearer x.y.z", "bearer ", "bearer a.b", "basic abc"])
def test_garbage_is_an_invalid_token(apple, authorization):
    assert apple.reason(TOKEN, authorization=authorization) == "403 InvalidProviderToken"


def test_a_token_lives_an_hour(apple):
    old = apple.mint(issued_at=int(time.time()) - 3590)
    older = apple.mint(issued_at=int(time.time()) - 3700)
    assert apple.reason(TOKEN, authorization=f"bearer {older}") == "403 ExpiredProviderToken"
    assert apple.push(TOKEN, authorization=f"bearer {old}").status_code == 200


def test_the_servers_clock_can_be_moved(simulator, apple):
    assert apple.push(TOKEN).status_code == 200
    simulator.settings("apns", clock_offset_s=3700)
    assert apple.reason(TOKEN) == "403 ExpiredProviderToken"


def test_tokens_minted_within_twenty_minutes_are_too_many_for_one_connection(apple):
    now = int(time.time())
    for age, expected in ((3000, "200"), (2990, "429 TooManyProviderTokenUpdates"), (1000, "200")):
        bearer = apple.mint(issued_at=now - age)
        assert apple.reason(TOKEN, authorization=f"bearer {bearer}") == expected


def test_a_connection_stays_with_its_key_and_a_new_one_does_not_mind(simulator, apple):
    other = simulator.control.post("/apns/keys", {})
    bearer = apple.mint(key=other["private_key"], key_id=other["key_id"])
    assert apple.push(TOKEN).status_code == 200
    assert apple.reason(TOKEN, authorization=f"bearer {bearer}") == "403 UnrelatedKeyIdInToken"
    with httpx.Client(http2=True, verify=simulator.tls(), trust_env=False) as client:
        fresh = Apple(simulator.facts, client, bearer=bearer)
        assert fresh.push(TOKEN).status_code == 200


def test_a_connection_stays_with_its_team(simulator, apple):
    other = simulator.control.post("/apns/keys", {"team_id": "OTHERTEAM1"})
    bearer = apple.mint(key=other["private_key"], key_id=other["key_id"], team_id="OTHERTEAM1")
    assert apple.push(TOKEN).status_code == 200
    assert apple.reason(TOKEN, authorization=f"bearer {bearer}") == "403 InvalidProviderToken"


def test_a_revoked_key_is_worthless(simulator, apple):
    other = simulator.control.post("/apns/keys", {})
    apple.bearer = apple.mint(key=other["private_key"], key_id=other["key_id"])
    assert apple.push(TOKEN).status_code == 200
    simulator.control.delete(f"/apns/keys/{other['key_id']}")
    assert apple.reason(TOKEN) == "403 InvalidProviderToken"


def test_a_key_may_be_for_some_topics_or_one_environment(simulator, apple):
    other = simulator.control.post(
        "/apns/keys", {"topics": ["com.example.one"], "environment": "sandbox"}
    )
    apple.bearer = apple.mint(key=other["private_key"], key_id=other["key_id"])
    assert apple.push(TOKEN, apns_topic="com.example.one").status_code == 200
    assert apple.reason(TOKEN, apns_topic="com.example.two") == "400 TopicDisallowed"
    simulator.settings("apns", environment="production")
    assert apple.reason(TOKEN, apns_topic="com.example.one") == "403 BadEnvironmentKeyIdInToken"


@pytest.fixture
def with_certificate(simulator):
    context = simulator.tls(certificate=simulator.facts["apns"]["certificate_file"])
    with httpx.Client(http2=True, verify=context, trust_env=False) as client:
        yield Apple(simulator.facts, client)


def test_a_certificate_is_enough(with_certificate):
    assert with_certificate.push(TOKEN, authorization=MISSING).status_code == 200
    assert with_certificate.push(TOKEN, authorization="bearer nonsense").status_code == 200


def test_a_certificate_pushes_to_its_own_topics_only(with_certificate):
    push = {"authorization": MISSING}
    assert with_certificate.reason(TOKEN, apns_topic=MISSING, **push) == "400 MissingTopic"
    answer = with_certificate.reason(TOKEN, apns_topic="com.example.other", **push)
    assert answer == "400 TopicDisallowed"
    voip = {"apns_topic": "com.example.demo.voip", "apns_push_type": "voip"}
    assert with_certificate.push(TOKEN, **voip, **push).status_code == 200
    where = {"apns_topic": "com.example.demo.location-query", "apns_push_type": "location"}
    assert with_certificate.reason(TOKEN, **where, **push) == "400 InvalidPushType"


def test_a_certificate_from_elsewhere_does_not_get_through_the_handshake(simulator, tmp_path):
    from simulator.identity.authority import authority, push_certificate

    foreign = push_certificate(tmp_path, authority(tmp_path), "com.example.demo")
    context = simulator.tls(certificate=str(foreign))
    with (
        httpx.Client(http2=True, verify=context, trust_env=False) as client,
        pytest.raises((httpx.TransportError, ssl.SSLError)),
    ):
        Apple(simulator.facts, client).push(TOKEN)
