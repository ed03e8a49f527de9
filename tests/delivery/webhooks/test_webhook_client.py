"""One call against a real server, which is slow, rude, endless or untrusted."""

import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network

import pytest

from delivery.trust import shared_trust
from delivery.webhooks import client as calling
from delivery.webhooks.client import Client, shown
from tests.delivery.webhooks.receiver import Receiver, Reply, closes, drips, floods


@pytest.fixture
def call(receiver):
    client = Client(receiver.url)
    yield lambda: client.post(b'{"a":1}', {"webhook-id": "msg_1"})
    client.close()


def test_what_is_taken_is_taken_over_one_connection(call, receiver):
    assert call().ok
    answer = call()
    assert (answer.status, answer.said) == (200, "ok")
    assert receiver.connections == 1
    assert receiver.calls[0].body == b'{"a":1}'
    assert receiver.calls[0].headers["webhook-id"] == "msg_1"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nobody_is_led_elsewhere(call, receiver, status):
    elsewhere = Receiver()
    receiver.answer = lambda _: Reply(status=status, headers={"location": elsewhere.url})

    answer = call()

    elsewhere.close()
    assert (answer.ok, answer.status, elsewhere.connections) == (False, status, 0)


@pytest.mark.parametrize(
    ("status", "about"), [(400, True), (413, True), (500, True), (429, False), (503, False)]
)
def test_a_refusal_may_be_about_what_was_sent(call, receiver, status, about):
    receiver.answer = lambda _: Reply(status=status)
    assert call().about_content is about


def test_a_server_that_hangs_up_is_an_answer(call, receiver):
    receiver.answer = lambda _: Reply(then=closes)
    answer = call()
    assert (answer.status, answer.about_content) == (None, True)
    assert answer.said.startswith("the connection broke")


def test_nobody_there_is_an_answer(call, receiver):
    receiver.close()
    answer = call()
    assert answer.status is None
    assert answer.said == "no connection: ConnectionRefusedError"
    assert not answer.about_content


@pytest.mark.parametrize("rude", [drips, lambda _: time.sleep(30)])
def test_a_slow_answer_is_waited_for_so_long_and_no_longer(call, receiver, monkeypatch, rude):
    monkeypatch.setattr(calling, "ANSWER_WITHIN", 0.4)
    receiver.answer = lambda _: Reply(then=rude)

    began_at = time.monotonic()
    answer = call()

    assert time.monotonic() - began_at < 10
    assert (answer.status, answer.said) == (None, "no answer in time")
    assert 300 < answer.milliseconds < 10_000


def test_of_an_endless_answer_the_beginning_is_read(call, receiver):
    receiver.answer = lambda _: Reply(then=floods)
    answer = call()
    assert answer.ok
    assert answer.said == "[…]"


def test_a_large_body_gets_through(receiver):
    body = b"x" * 3_000_000
    client = Client(receiver.url)
    assert client.post(body, {}).ok
    client.close()
    assert receiver.calls[0].body == body


def test_a_wish_to_wait_is_read_in_both_its_forms(call, receiver):
    receiver.answer = lambda _: Reply(status=503, headers={"Retry-After": "90"})
    assert call().retry_after == 90.0

    later = datetime.now(UTC) + timedelta(minutes=10)
    receiver.answer = lambda _: Reply(status=503, headers={"Retry-After": format_datetime(later)})
    assert 580 < call().retry_after < 601

    receiver.answer = lambda _: Reply(status=503, headers={"Retry-After": "soon"})
    assert call().retry_after is None


def test_an_answer_is_kept_without_what_may_be_a_key():
    said = shown(b'{"error":"bad key whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",\n"token": "abc"}\x00')
    assert said == '{"error":"bad key […]", "token": "abc"}'
    assert len(shown(b"a b " * 1000)) == 300
    assert shown(b"\xff\xfe") == "\ufffd\ufffd"


@pytest.fixture
def secure(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server)
    receiver = Receiver(tls=context)
    yield receiver
    receiver.close()


def test_a_certificate_nobody_vouches_for_is_not_believed(secure):
    shared_trust.cache_clear()
    client = Client(secure.url)
    answer = client.post(b"{}", {})
    client.close()
    assert answer.status is None
    assert answer.said.startswith("its certificate is not trusted")
    assert secure.calls == []


def test_a_certificate_of_a_known_authority_is(secure, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.itself))
    shared_trust.cache_clear()
    client = Client(secure.url.replace("127.0.0.1", "localhost"))
    answer = client.post(b"{}", {})
    client.close()
    shared_trust.cache_clear()
    assert answer.ok
    assert len(secure.calls) == 1


def test_loopback_is_reached_because_it_is_allowed(receiver, settings):
    settings.WEBHOOK_ALLOW = [ip_network("10.0.0.0/8")]
    assert Client(receiver.url).post(b"{}", {}).said == "its address is not reached over https"
    assert receiver.connections == 0
