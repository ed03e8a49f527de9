"""Stock clients, unmodified, completing their work: aioapns, google-auth, firebase-admin, curl."""

import asyncio
import json
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import firebase_admin
import google.auth.transport.requests
import jwt
import pytest
import requests
from aioapns import APNs, NotificationRequest, PushType
from aioapns.connection import APNsProductionClientProtocol
from firebase_admin import messaging
from google.auth import credentials
from google.oauth2 import service_account

TOKEN = "9a" * 32


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch):
    """Fail every look-up of a foreign name: google-auth makes one from a thread of its own."""
    real = socket.getaddrinfo

    def guarded(host, *arguments, **options):
        if host not in {"localhost", "127.0.0.1"}:
            raise socket.gaierror(f"only loopback here, not {host}")
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)


def send_with_aioapns(simulator, *requests_, **options):
    class Redirected(APNsProductionClientProtocol):
        APNS_SERVER = "127.0.0.1"
        APNS_PORT = simulator.port("apns")

    async def send():
        tls = simulator.tls(protocols=("h2",), certificate=options.get("client_cert"))
        apns = APNs(ssl_context=tls, max_connections=1, max_connection_attempts=1, **options)
        apns.pool.protocol_class = Redirected
        results = [await asyncio.wait_for(apns.send_notification(r), 10) for r in requests_]
        apns.pool.close()
        await asyncio.sleep(0.05)
        return results

    return asyncio.run(send())


def test_aioapns_with_a_key(simulator):
    apns = simulator.facts["apns"]
    good, gone = send_with_aioapns(
        simulator,
        NotificationRequest(TOKEN, {"aps": {"alert": "hi"}}, push_type=PushType.ALERT),
        NotificationRequest(simulator.facts["tokens"]["apns_gone"], {"aps": {}}),
        key=Path(apns["key_file"]).read_text(),
        key_id=apns["key_id"],
        team_id=apns["team_id"],
        topic=apns["topic"],
    )
    assert (good.status, good.is_successful) == ("200", True)
    assert (gone.status, gone.description) == ("410", "Unregistered")
    (record,) = simulator.received(token=TOKEN)
    assert record["payload"] == {"aps": {"alert": "hi"}}
    assert record["headers"]["apns-push-type"] == "alert"


def test_aioapns_with_a_certificate(simulator):
    (result,) = send_with_aioapns(
        simulator,
        NotificationRequest(TOKEN, {"aps": {"alert": "hi"}}),
        client_cert=simulator.facts["apns"]["certificate_file"],
        topic=simulator.facts["apns"]["topic"],
    )
    assert result.is_successful


def test_google_auth_gets_its_bearer(simulator):
    account = service_account.Credentials.from_service_account_file(
        simulator.facts["fcm"]["service_account_file"],
        scopes=["https://www.googleapis.com/auth/firebase.messaging"],
    )
    with requests.Session() as session:
        session.verify = simulator.facts["ca_file"]
        session.trust_env = False
        account.refresh(google.auth.transport.requests.Request(session))
    assert account.token.startswith("ya29.")
    assert simulator.summary["token_requests"] == 1


class Ours(credentials.Credentials):
    """Credentials that ask the simulator and nobody else."""

    def __init__(self, google_client):
        super().__init__()
        self.google_client = google_client

    def refresh(self, request):
        self.token = self.google_client.exchange().json()["access_token"]


@pytest.fixture
def firebase(simulator, google, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", simulator.facts["ca_file"])
    monkeypatch.setenv("SSL_CERT_FILE", simulator.facts["ca_file"])
    options = {"projectId": "push-demo", "httpTimeout": 5}
    app = firebase_admin.initialize_app(_Wrapped(Ours(google)), options, name="simulated")
    service = messaging._get_messaging_service(app)
    service._fcm_url = f"{simulator.facts['fcm_url']}/v1/projects/push-demo/messages:send"
    yield app
    with suppress(ValueError):
        firebase_admin.delete_app(app)


class _Wrapped(firebase_admin.credentials.Base):
    def __init__(self, inner):
        self.inner = inner

    def get_credential(self):
        return self.inner


def message(token):
    return messaging.Message(
        token=token,
        data={"title": "Hello", "alert": "World"},
        android=messaging.AndroidConfig(priority="high", ttl=3600, collapse_key="c"),
        apns=messaging.APNSConfig(
            headers={"apns-priority": "5"},
            payload=messaging.APNSPayload(messaging.Aps(content_available=True)),
        ),
    )


def test_firebase_admin_sends_and_is_told_of_dead_tokens(simulator, firebase):
    tokens = simulator.facts["tokens"]
    assert messaging.send(message(tokens["fcm_ok"]), app=firebase).startswith("projects/push-demo/")
    with pytest.raises(messaging.UnregisteredError):
        messaging.send(message(tokens["fcm_gone"]), app=firebase)
    with pytest.raises(messaging.SenderIdMismatchError):
        messaging.send(message(tokens["fcm_foreign"]), app=firebase)


def test_firebase_admin_sends_in_batches_asynchronously(simulator, firebase):
    tokens = simulator.facts["tokens"]
    messages = [message(tokens[name]) for name in ("fcm_ok", "fcm_gone", "fcm_ok")]

    async def send():
        result = await asyncio.wait_for(messaging.send_each_async(messages, app=firebase), 10)
        await messaging._get_messaging_service(firebase)._async_client._async_client.aclose()
        return result

    result = asyncio.run(send())
    assert [r.success for r in result.responses] == [True, False, True]
    assert isinstance(result.responses[1].exception, messaging.UnregisteredError)
    assert simulator.summary["accepted"]["fcm"] == 2


def test_curl_sends_over_http2(simulator, apple):
    curl = shutil.which("curl")
    if curl is None or "HTTP2" not in subprocess.check_output([curl, "-V"], text=True):
        pytest.skip("no curl with HTTP/2 here")
    command = [
        *(curl, "--silent", "--http2", "--noproxy", "*", "--max-time", "10"),
        *("--cacert", simulator.facts["ca_file"], "--write-out", "%{http_code} %{http_version}"),
        *("-H", f"authorization: bearer {apple.bearer}", "-H", "apns-topic: com.example.demo"),
        *("--data-binary", json.dumps({"aps": {"alert": "from curl"}})),
        f"{simulator.facts['apns_url']}/3/device/{TOKEN}",
    ]
    assert subprocess.check_output(command, text=True) == "200 2"
    assert simulator.received(token=TOKEN)[0]["payload"]["aps"]["alert"] == "from curl"


def test_pyjwt_reads_the_key_the_way_every_client_does(simulator):
    pem = Path(simulator.facts["apns"]["key_file"]).read_text()
    assert jwt.encode({"iss": "x"}, pem, algorithm="ES256").count(".") == 2
