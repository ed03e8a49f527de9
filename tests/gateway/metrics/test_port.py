"""A worker's and a tick's own port: what it answers, and to what."""

import json
import socket
import time
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import processes, signs
from gateway.metrics.listening import Listening
from gateway.metrics.server import Port
from tests.journeys.stack import exchange


@pytest.fixture
def port():
    """Give what asks a port that is ready where the checks say so."""
    opened = []

    def listen(**checks):
        port = Port("127.0.0.1", 0, checks=checks, signs=signs.Pulse())
        port.begin()
        opened.append(port)
        return lambda path: exchange(
            urllib.request.Request(f"http://127.0.0.1:{port.number}{path}")
        )

    yield listen
    for port in opened:
        port.end()


def test_it_is_ready_where_no_check_finds_anything(port):
    status, body = port(beat=lambda: "")("/readyz")
    assert (status, json.loads(body)) == (200, {"status": "ok", "checks": {"beat": "ok"}})


def test_it_names_what_is_wrong(port):
    status, body = port(beat=lambda: "silent", tasks=lambda: "")("/readyz")
    assert status == 503
    assert json.loads(body)["checks"] == {"beat": "silent", "tasks": "ok"}


def test_it_is_alive_whatever_is_wrong(port):
    assert port(beat=lambda: "silent")("/healthz")[0] == 200


def test_it_shows_metrics_and_nothing_else(port):
    ask = port()
    status, body = ask("/metrics")
    names = {family.name for family in text_string_to_metric_families(body.decode())}
    assert status == 200
    assert {"gateway_processes", "gateway_pulse_age_seconds"} <= names
    assert {name for name in names if not name.startswith("gateway_")} == set()
    assert ask("/admin/")[0] == 404


def test_a_port_that_is_taken_stops_the_start(settings):
    with socket.create_server(("127.0.0.1", 0)) as first:
        settings.METRICS_PORT = first.getsockname()[1]
        with pytest.raises(SystemExit, match=r"GATEWAY_METRICS_PORT: .* Address already in use"):
            Listening().open("worker", checks={})


def test_without_a_port_nothing_listens(settings):
    settings.METRICS_PORT = 0
    listening = Listening()
    listening.open("worker", checks={})
    listening.begin()


def test_a_pulse_that_stopped_is_told_of(monkeypatch):
    pulse = signs.Pulse()
    monkeypatch.setattr(signs, "pulse", pulse)
    assert signs.check_pulse() == ""
    pulse._last = time.monotonic() - 20
    assert signs.check_pulse() == "silent for 20 s"
    pulse.beat()
    assert signs.check_pulse() == ""


def test_a_task_beyond_its_limit_is_told_of():
    running = processes.RUNNING_SINCE.labels("task")
    try:
        running.set(time.monotonic() - 20)
        assert signs.check_tasks() == ""
        running.set(time.monotonic() - 100)
        assert signs.check_tasks() == "a task has been running for 100 s"
    finally:
        running.set(0)
    assert processes.longest_task() == 0
