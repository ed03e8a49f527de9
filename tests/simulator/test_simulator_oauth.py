"""The token endpoint: what an assertion must be, and what a bearer is good for."""

import time

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.simulator.plain_clients import Google


def other_key() -> str:
    return (
        rsa.generate_private_key(65_537, 2048)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def test_a_good_assertion_buys_a_bearer(google):
    answer = google.exchange()
    document = answer.json()
    assert answer.status_code == 200
    assert (document["token_type"], document["expires_in"]) == ("Bearer", 3599)
    assert google.post({"message": {"topic": "news"}}, bearer=document["access_token"]).is_success


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://127.0.0.1/token"},
        {"iss": "nobody@nowhere.iam.gserviceaccount.com"},
        {"iat": int(time.time()) - 8000, "exp": int(time.time()) - 4400},
        {"exp": int(time.time()) + 9000},
        {"iat": int(time.time()) + 2000, "exp": int(time.time()) + 5600},
        {"exp": None},
    ],
)
def test_a_wrong_claim_is_an_invalid_grant(google, claims):
    answer = google.exchange(google.assertion(claims=claims))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert answer.json()["error_description"]


def test_the_signature_and_the_key_id_are_checked(google):
    for changes in ({"key": other_key()}, {"kid": "0" * 40}):
        answer = google.exchange(google.assertion(**changes))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert google.exchange("not.a.jwt").json()["error"] == "invalid_grant"


def test_the_grant_type_is_checked(simulator, google):
    form = {"grant_type": "password", "assertion": google.assertion()}
    answer = google.client.post(simulator.facts["token_uri"], data=form)
    assert answer.json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("https://www.googleapis.com/auth/cloud-platform", 200),
        ("https://www.googleapis.com/auth/firebase.messaging email", 200),
        ("https://www.googleapis.com/auth/datastore", 403),
    ],
)
def test_a_bearer_needs_a_scope_that_may_send(google, scope, status):
    google.cached = google.exchange(google.assertion(claims={"scope": scope})).json()[
        "access_token"
    ]
    assert google.send().status_code == status


def test_no_scope_no_bearer(google):
    answer = google.exchange(google.assertion(claims={"scope": ""}))
    assert answer.json()["error"] == "invalid_scope"


def test_a_bearer_dies_with_its_time(simulator, google):
    simulator.settings("fcm", bearer_lifetime_s=30)
    assert google.exchange().json()["expires_in"] == 30
    assert google.send().status_code == 200
    simulator.settings("fcm", clock_offset_s=31)
    answer = google.send()
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert "details" not in answer.json()["error"]


def test_every_bearer_can_be_made_to_expire_in_the_middle_of_a_run(simulator, google):
    assert google.send().status_code == 200
    assert simulator.control.post("/fcm/bearers/expire")["expired"] >= 1
    assert google.send().status_code == 401
    google.cached = ""
    assert google.send().status_code == 200


def test_the_token_endpoint_can_misbehave(simulator, google):
    simulator.rule({"status": 503, "retry_after": 7}, provider="oauth", times=1)
    simulator.rule({"reason": "invalid_client", "status": 401}, provider="oauth", times=1)
    simulator.rule({"wire": "disconnect"}, provider="oauth", times=1)
    first, second = google.exchange(), google.exchange()
    assert (first.status_code, first.headers["retry-after"]) == (503, "7")
    assert (second.status_code, second.json()["error"]) == (401, "invalid_client")
    with pytest.raises(httpx.TransportError):
        google.exchange()
    assert google.exchange().status_code == 200
    assert simulator.summary["token_requests"] == 4


def test_projects_keep_to_themselves(simulator, google):
    account = simulator.control.post("/fcm/projects", {"project_id": "second-project"})
    second = Google(simulator.facts, google.client)
    second.cached = google.exchange(google.assertion(account=account)).json()["access_token"]
    message = {"message": {"topic": "news"}}
    assert second.post(message, project="second-project").status_code == 200
    denied = second.post(message, project="push-demo")
    assert denied.status_code == 403
    assert "details" not in denied.json()["error"]
    nowhere = second.post(message, project="no-such-project")
    assert nowhere.status_code == 404
    assert "details" not in nowhere.json()["error"]
    own = simulator.control.post("/tokens", {"provider": "fcm", "project": "second-project"})
    mismatch = google.send(own["tokens"][0])
    assert mismatch.json()["error"]["details"][0]["errorCode"] == "SENDER_ID_MISMATCH"
