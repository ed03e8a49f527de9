"""Log shape, request ids, metrics; and nothing in a log that nobody should read."""

import json
import logging
import re
import time

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from prometheus_client import REGISTRY

from gateway.redaction import redact
from gateway.telemetry import (
    JsonLines,
    RequestTelemetry,
    TextLines,
    configure_logging,
    is_clean,
    request_id,
)

HEX = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"
FCM = "dQw4w9WgXcQ123:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGTAgEAMBMGByqGSM49AgEGCCqGSM49\n-----END PRIVATE KEY-----"


def record(message: str, *args: object, exc_info=None) -> logging.LogRecord:
    return logging.LogRecord("delivery.x", logging.WARNING, "x.py", 1, message, args, exc_info)


@pytest.fixture
def line():
    """Give the text of a record."""
    return lambda *args, **options: TextLines().format(record(*args, **options))


@pytest.mark.parametrize("secret", [HEX, HEX.upper(), FCM, PEM])
@pytest.mark.parametrize(
    "around", ["{}", "pushed to {}: gone", "('{}',)", "Key (value)=({}) exists"]
)
def test_tokens_and_keys_never_reach_a_line(line, secret, around):
    for text in (line(around.format(secret)), line("%s", around.format(secret))):
        assert secret not in text
        assert secret[len(secret) // 2 :][:20] not in text
        assert "[redacted]" in text


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic ZDI5YjY6c2VjcmV0a2V5",
        "authorization: bearer eyJhbGciOiJFUzI1NiJ9.abc",
        "{'token': 'ZDI5YjY6c2VjcmV0'}",
        '{"server_key": "ZDI5YjY6c2VjcmV0"}',
        "secret=ZDI5YjY6c2VjcmV0",
        "password: ZDI5YjY6c2VjcmV0",
        "postgres_password=ZDI5YjY6c2VjcmV0",
        "apiKey=ZDI5YjY6c2VjcmV0 next",
    ],
)
def test_what_is_named_like_a_secret_is_left_out(text):
    assert "ZDI5YjY6c2Vj" not in redact(text)
    assert "eyJhbGci" not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "POST /notifications 201 12.5 ms",
        "occurrence 123456 of app 7 planned 1000000 tokens in 12 batches",
        "request 3f2b8c1e4d5a6b7c8d9e0f1a2b3c4d5e took long",
        "apns-id 12345678-1234-1234-8123-123456789012",
        "BadDeviceToken",
        "unregistered token 5 of install 6",
    ],
)
def test_what_an_operator_needs_stays(text):
    assert redact(text) == text


def test_tracebacks_are_redacted_too(line):
    try:
        int(HEX)  # its message repeats what it was given
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    for text in (line("failed", exc_info=info), JsonLines().format(record("x", exc_info=info))):
        assert "ValueError" in text
        assert HEX not in text


def test_a_message_cannot_write_lines_of_its_own(line):
    assert "\n" not in line("path %s", "/a\n2026-01-01 CRITICAL forged: \r\nx")


def test_a_json_line_is_one_object(settings):
    mark = request_id.set("abc")
    try:
        text = JsonLines().format(record("pushed %d\n%s", 5, "é"))
    finally:
        request_id.reset(mark)
    assert "\n" not in text
    told = json.loads(text)
    assert told["message"] == "pushed 5\né"
    assert (told["level"], told["logger"], told["request_id"]) == ("WARNING", "delivery.x", "abc")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", told["time"])


@pytest.mark.parametrize(("shape", "formatter"), [("text", TextLines), ("json", JsonLines)])
def test_logging_is_set_up_in_the_configured_shape(shape, formatter):
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging({"format": shape, "level": "WARNING"})
        [handler] = root.handlers
        assert isinstance(handler.formatter, formatter)
        assert root.level == logging.WARNING
    finally:
        root.handlers[:] = before
        root.setLevel(level)


@pytest.fixture
def ask(caplog):
    """Send a request through the middleware alone, and give answer and log lines."""

    def asked(path="/x", status=200, **headers):
        caplog.clear()
        caplog.set_level(logging.INFO, "gateway.request")
        seen = []

        def view(request):
            seen.append(request_id.get())
            return HttpResponse(status=status)

        request = RequestFactory().get(path, headers=headers)
        request.resolver_match = None
        answer = RequestTelemetry(view)(request)
        assert seen == [answer.headers["X-Request-Id"]]
        assert request_id.get() == ""
        return answer, [told.getMessage() for told in caplog.records]

    return asked


def test_a_callers_request_id_is_kept(ask):
    answer, _ = ask(**{"x-request-id": "abc-123.DEF_4"})
    assert answer.headers["X-Request-Id"] == "abc-123.DEF_4"


@pytest.mark.parametrize("sent", ["", "a b", "a\u2028b", "x" * 65, "<script>", "é"])
def test_an_unsafe_request_id_is_replaced(ask, sent):
    answer, _ = ask(**{"x-request-id": sent})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize("sent", [HEX, "token-a0b1c2d3e4f5" + "a" * 40])
def test_a_request_id_that_may_be_a_devices_token_is_replaced(ask, sent):
    answer, _ = ask(**{"x-request-id": sent})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])


@pytest.mark.parametrize(
    ("path", "clean"), [(f"/v1/app-installs/{HEX}/events", True), (f"/{HEX}", False)]
)
def test_a_line_is_searched_for_secrets_unless_all_of_it_is_ours(client, db, caplog, path, clean):
    caplog.set_level(logging.INFO, "gateway.request")
    client.post(path)
    [told] = [told for told in caplog.records if told.name == "gateway.request"]
    assert is_clean(told) is clean
    for shape in (TextLines(), JsonLines()):
        assert HEX not in shape.format(told)
        assert ("[redacted]" in shape.format(told)) is not clean


def test_a_request_has_one_line_and_an_unrouted_path_is_quoted(ask):
    _, [line] = ask("/a%0Ab é", status=404)
    assert re.fullmatch(r"GET unrouted /a%0Ab%20%C3%A9 404 \d+\.\d ms", line)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_are_not_told_of(ask, path):
    _, lines = ask(path)
    assert lines == []


def count(**labels) -> float:
    return REGISTRY.get_sample_value("gateway_http_requests_total", labels) or 0


def test_requests_are_counted_by_route_and_not_by_path(client, db):
    route = "/v1/app-installs/<anything:install_uid>/events"
    labels = {"dialect": "kumulos", "method": "POST", "route": route, "status": "401"}
    before = count(**labels)
    for uid in ("a", "b", "c%2Fd"):
        client.post(f"/v1/app-installs/{uid}/events")
    assert count(**labels) == before + 3
    assert f'route="{route}"' in client.get("/metrics").content.decode()


def test_strange_methods_and_paths_make_no_new_series(client, db):
    labels = {"dialect": "none", "method": "other", "route": "unrouted", "status": "404"}
    before = count(**labels)
    client.generic("BREW", "/coffee")
    client.generic("WHEN", "/tea")
    assert count(**labels) == before + 2


@pytest.mark.parametrize(
    "piece", ["a-", "x-token-", "0123456789abcdef ", "token ", "a", "0a", ":APA91"]
)
def test_a_long_line_is_redacted_in_no_time(piece):
    """A header of a caller's may end in a log line; an `Origin` of 40 kB once took a minute."""
    started = time.thread_time()
    redact(piece * (200_000 // len(piece)))
    assert time.thread_time() - started < 2


def test_a_secret_is_redacted_whatever_its_name_begins_with():
    assert redact("my-server_key=abcdefgh") == "my-server_key=[redacted]"
