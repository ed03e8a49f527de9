"""One send is followed from its request to its provider's answer: by spans, and by lines."""

import json
import secrets
import urllib.request
from base64 import b64encode

import pytest

from tests.journeys.stack import exchange, wait_until
from tests.operations.watched import facts

pytestmark = pytest.mark.long

ERROR = 2


def send(stack, body, **headers):
    """Send as a caller does who has a trace and a request id of their own."""
    request = urllib.request.Request(
        stack.url + "/notifications", json.dumps(body).encode(), method="POST"
    )
    pair = f"{stack.app['api_key']}:{stack.app['server_key']}".encode()
    request.add_header("Authorization", f"Basic {b64encode(pair).decode()}")
    request.add_header("Content-Type", "application/json")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    status, answer = exchange(request)
    assert status == 201, answer
    return int(json.loads(answer)["id"])


def traced(stack, body):
    """Send in a new trace; give the notification, the trace's id and the caller's span's."""
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    asked = f"req-{secrets.token_hex(4)}"
    sent = send(stack, body, traceparent=f"00-{trace}-{parent}-01", x_request_id=asked)
    return sent, trace, parent, asked


def spans(stack, trace, *names):
    """Wait for spans of a trace by these names and give them by name."""

    def all_there():
        found = {span.name: span for span in stack.receiver.trace(trace)}
        return found if found.keys() >= set(names) else None

    return wait_until(f"spans {names}", all_there)


POST, PLAN, BATCH, PUSH = "POST /notifications", "plan", "deliver batch", "push"


def test_a_callers_trace_goes_on_to_the_providers_answer(stack):
    stack.phones(1, "ios")
    [phone] = stack.control.get("/phones")["phones"]
    body = {"installIds": [phone["install_id"]], "title": "T", "message": "M"}
    notification, trace, parent, asked = traced(stack, body)
    stack.finished(notification)

    found = spans(stack, trace, POST, PLAN, BATCH, PUSH)
    request, push = found[POST], found[PUSH]
    assert request.parent_span_id.hex() == parent
    assert found[PLAN].parent_span_id == found[BATCH].parent_span_id == request.span_id
    assert push.parent_span_id == found[BATCH].span_id
    assert facts(request)["http.response.status_code"] == 201
    assert facts(request)["request.id"] == asked
    assert facts(request)["notification.id"] == notification
    assert facts(found[BATCH])["answers.accepted"] == 1
    assert facts(push)["verdict"] == "accepted"
    # as the simulator, standing for Apple, was told
    assert facts(push)["apns.id"] in json.dumps(stack.control.get("/received?provider=apns"))
    starts = [found[n].start_time_unix_nano for n in (POST, PLAN, BATCH, PUSH)]
    assert starts == sorted(starts)
    assert not [s for s in found.values() if s.status.code == ERROR]


def test_a_broadcast_has_spans_for_batches_and_none_for_pushes(stack):
    stack.tokens(300)
    body = {"broadcast": True, "title": "T", "message": "M"}
    notification, trace, _, _ = traced(stack, body)
    stack.finished(notification)
    spans(stack, trace, POST, PLAN, BATCH)

    def all_answered():
        batches = [facts(s) for s in stack.receiver.trace(trace) if s.name == BATCH]
        return sum(batch.get("answers.accepted", 0) for batch in batches) == 300

    wait_until("every push in the count of a batch", all_answered)
    names = [span.name for span in stack.receiver.trace(trace)]
    assert names.count(BATCH) == 3
    assert PUSH not in names


def test_what_goes_wrong_is_marked(stack):
    stack.phones(1, "ios")
    [phone] = stack.control.get("/phones")["phones"]
    rule = {"match": {"provider": "apns"}, "action": {"reason": "PayloadTooLarge"}}
    stack.control.put("/script", {"rules": [rule]})
    body = {"installIds": [phone["install_id"]], "title": "T", "message": "M"}
    notification, trace, _, _ = traced(stack, body)
    stack.finished(notification)
    push = spans(stack, trace, PUSH)[PUSH]
    assert push.status.code == ERROR
    assert push.status.message == "PayloadTooLarge"


def test_a_span_of_a_refused_trace_is_not_recorded(stack):
    trace = secrets.token_hex(16)
    stack.tokens(1)
    body = {"broadcast": True, "title": "T", "message": "M"}
    stack.finished(send(stack, body, traceparent=f"00-{trace}-{'b' * 16}-00"))
    _, last, _, _ = traced(stack, body)
    spans(stack, last, POST, BATCH)
    assert stack.receiver.trace(trace) == []


def test_lines_of_all_processes_name_the_request_and_the_rows(stack):
    stack.tokens(50)
    body = {"broadcast": True, "title": "T", "message": "M"}
    notification, _, _, asked = traced(stack, body)
    occurrence = stack.finished(notification)["id"]

    def told():
        return [line for line in stack.lines() if line.get("request_id") == asked]

    lines = wait_until(
        "lines of both",
        lambda: {"gateway.request", "delivery.answers"} <= {t["logger"] for t in told()} and told(),
    )
    by_logger = {line["logger"]: line for line in lines}
    assert by_logger["gateway.request"]["notification"] == notification
    batch = by_logger["delivery.answers"]
    assert (batch["notification"], batch["occurrence"]) == (notification, occurrence)
    assert f"batch {batch['batch']} " in batch["message"]
    assert batch["task"] in {"deliver", "fan_out"}


def test_no_line_holds_a_devices_token(stack):
    stack.phones(2, "ios")
    stack.phones(2, "android")
    body = {"broadcast": True, "title": "T", "message": "M"}
    stack.finished(traced(stack, body)[0])
    # a path with a token in it, as a client that got it wrong would ask
    with stack.database() as database:
        values = [v for (v,) in database.execute("SELECT value FROM crm_devicetoken").fetchall()]
    values = [value for value in values if len(value) > 40]
    assert len(values) >= 4
    for value in values[:4]:
        exchange(urllib.request.Request(f"{stack.url}/v9/{value}"))
    wait_until("told of", lambda: "[redacted]" in stack.log())
    log = stack.log()
    assert not [value for value in values if value in log]
