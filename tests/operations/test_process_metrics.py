"""Every process is counted, once, whatever becomes of it."""

import json
import os
import signal
import urllib.request

import pytest

from devstack import programs
from gateway.metrics.slots import Slots
from tests.journeys.stack import exchange, wait_until

pytestmark = pytest.mark.long

CHILDREN = programs.PROCESSES


def ask(url):
    status, body = exchange(urllib.request.Request(url))
    return status, json.loads(body)


def living(stack, name):
    return stack.total(name, "gateway_processes")


def files(stack):
    return sorted(path.relative_to(stack.base) for path in (stack.base / "metrics").rglob("*.db"))


def slot_pids(stack, role):
    [folder] = (stack.base / "metrics").glob(f"{role}-*")
    return set(Slots(folder).living().values())


def test_web_adds_its_processes_up(stack):
    asked = 40
    route = {"route": "/notifications/<str:notification_id>", "dialect": "kumulos", "status": "404"}
    before = stack.total("web", "gateway_http_requests_total", **route)
    for _ in range(asked):
        assert stack.call("GET", "/notifications/999999").status == 404
    # whichever process is asked tells of all
    for _ in range(8):
        after = stack.total("web", "gateway_http_requests_total", **route)
        assert after == before + asked
    assert living(stack, "web") == 2


def test_a_broadcast_is_counted_by_those_who_sent_it(stack):
    stack.tokens(400)
    accepted = {"provider": "apns", "verdict": "accepted"}
    before = stack.total("worker", "gateway_answers_total", **accepted)
    planned = stack.total("worker", "gateway_tokens_planned_total", lane="bulk")
    stack.finished(stack.broadcast())
    assert stack.total("worker", "gateway_answers_total", **accepted) == before + 400
    assert stack.total("worker", "gateway_tokens_planned_total", lane="bulk") == planned + 400
    assert stack.total("worker", "gateway_pushes_in_flight", provider="apns") == 0
    assert stack.total("worker", "gateway_batch_seconds_count", provider="apns") >= 4
    assert stack.total("worker", "gateway_tasks_total", task="deliver", state="success") >= 1
    wait_until(
        "seen to be connected",
        lambda: stack.total("worker", "gateway_provider_connections", provider="apns"),
    )
    opened = {"provider": "apns", "event": "opened"}
    assert stack.total("worker", "gateway_provider_connection_events_total", **opened) >= 1


def test_a_killed_child_is_replaced_loses_no_count_and_leaves_no_file(stack):
    stack.tokens(400)
    stack.finished(stack.broadcast())
    before = stack.total("worker", "gateway_answers_total", provider="apns")
    shown = files(stack)
    for _ in range(3):
        pids = slot_pids(stack, "worker") - {stack.pid("worker")}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until("replaced", lambda gone=pids: not gone & slot_pids(stack, "worker"), seconds=60)
        wait_until("all back", lambda: living(stack, "worker") == CHILDREN + 1, seconds=60)
        assert stack.total("worker", "gateway_answers_total", provider="apns") == before
    assert files(stack) == shown
    stack.finished(stack.broadcast())
    assert stack.total("worker", "gateway_answers_total", provider="apns") == before + 400


def test_a_worker_killed_whole_and_started_again_begins_with_nothing(stack):
    stack.kill("worker")
    stack.start_worker()
    wait_until("listening", lambda: _answers(stack, "worker"))
    wait_until("all there", lambda: living(stack, "worker") == CHILDREN + 1)
    assert stack.total("worker", "gateway_answers_total") == 0
    assert ask(stack.url_of("worker") + "/readyz")[0] == 200


def _answers(stack, name):
    try:
        return stack.scrape(name)
    except OSError:
        return None


def test_a_worker_says_whether_it_hears_its_broker(stack):
    url = stack.url_of("worker")
    wait_until("ready", lambda: ask(url + "/readyz")[0] == 200)
    assert ask(url + "/healthz") == (200, {"status": "ok"})
    os.kill(stack.pid("worker"), signal.SIGSTOP)
    try:
        stack.total("beat", "gateway_processes")
    finally:
        os.kill(stack.pid("worker"), signal.SIGCONT)
    with stack.broker_away():
        _, said = wait_until(
            "silent", lambda: (a := ask(url + "/readyz"))[0] == 503 and a, seconds=60
        )
        assert said["checks"]["broker"].startswith("silent for")
        assert ask(url + "/healthz")[0] == 200
    wait_until("ready again", lambda: ask(url + "/readyz")[0] == 200, seconds=60)


def test_a_tick_that_no_longer_rings_is_seen_by_web_and_by_itself(stack):
    url = stack.url_of("beat")
    wait_until("ready", lambda: ask(url + "/readyz")[0] == 200)
    assert stack.total("beat", "gateway_pulse_age_seconds") < 5
    wait_until("heard", lambda: _heard(stack) is not None and _heard(stack) < 5)
    stack.kill("beat")
    assert _answers(stack, "beat") is None
    try:
        wait_until("silent", lambda: _heard(stack) > 8, seconds=60)
    finally:
        stack.run("beat", programs.beat())
    wait_until("heard again", lambda: _heard(stack) < 5, seconds=60)


def _heard(stack):
    return stack.scrape("web").get(("gateway_beat_heard_seconds", (("task", "tick"),)))
