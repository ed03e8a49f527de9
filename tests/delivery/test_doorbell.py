"""The way to the broker, against the real one of the run."""

import base64
import json
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from delivery import doorbell, tasks
from delivery.doorbell import Doorbell

IDS = {"id", "root_id", "correlation_id", "delivery_tag"}


@pytest.fixture
def broker(settings):
    with Redis.from_url(settings.REDIS_URL) as broker:
        broker.flushdb()
        yield broker
        broker.flushdb()


@pytest.fixture
def frozen(broker):
    """Stop the broker where it is: connections stay open and silent."""
    pid = int(broker.info("server")["process_id"])
    subprocess.run(["kill", f"-{signal.SIGSTOP}", str(pid)], check=True)
    yield
    subprocess.run(["kill", f"-{signal.SIGCONT}", str(pid)], check=True)


def queued(broker, lane="urgent"):
    return [json.loads(message) for message in broker.lrange(lane, 0, -1)]


def ring(doorbell, number=1):
    doorbell.ring(tasks.fan_out, (number, "urgent"), lane="urgent")


def without_ids(message):
    body = json.loads(base64.b64decode(message.pop("body")))
    boxes = {
        name: {key: value for key, value in box.items() if key not in IDS}
        for name, box in message.items()
        if isinstance(box, dict)
    }
    return {**message, **boxes, "body": body}


def test_a_ring_is_the_message_celery_itself_would_have_sent(broker, monkeypatch):
    # a sample names the thread it was taken on, to which nobody replies: take it on this one
    monkeypatch.setattr(doorbell, "_samples", {})
    tasks.fan_out.apply_async((5, "urgent"), queue="urgent")
    bell = Doorbell()
    ring(bell, 4)
    ring(bell, 5)

    ours, _, celerys = queued(broker)
    assert without_ids(ours) == without_ids(celerys)


def test_no_two_rings_share_an_id(broker):
    doorbell = Doorbell()
    for _ in range(3):
        ring(doorbell)
    doorbell.top_up(tasks.fan_out, (1, "urgent"), lane="urgent", wanted=3, most=9)

    found = queued(broker)
    assert len({message["headers"]["id"] for message in found}) == 6
    assert len({message["properties"]["delivery_tag"] for message in found}) == 6
    for message in found:
        assert message["headers"]["id"] == message["properties"]["correlation_id"]


def test_a_connection_the_broker_has_closed_is_made_anew(broker):
    doorbell = Doorbell()
    ring(doorbell)
    broker.client_kill_filter(_type="normal", skipme=True)

    ring(doorbell)

    assert len(queued(broker)) == 2


def test_rings_of_many_threads_at_once_all_arrive(broker):
    bell = Doorbell()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: ring(bell, number), range(2000)))

    arrived = {json.loads(base64.b64decode(message["body"]))[0][0] for message in queued(broker)}
    assert arrived == set(range(2000))


def test_whoever_finds_the_line_in_use_does_not_wait_for_it(broker, monkeypatch):
    """One thread waits for a slow broker; the others leave it their messages and go."""
    bell, said = Doorbell(), []
    tell = Doorbell._tell

    def slow(self, *command):
        if not said:
            said.append(command)
            with ThreadPoolExecutor(3) as others:
                list(others.map(lambda number: ring(bell, number), (2, 3, 4)))
        else:
            said.append(command)
        return tell(self, *command)

    monkeypatch.setattr(Doorbell, "_tell", slow)
    ring(bell, 1)

    assert [len(command) for command in said] == [3, 5]  # one message, then three in one command
    assert len(queued(broker)) == 4


def test_a_silent_broker_is_waited_for_once_and_then_left_alone(broker, frozen, caplog):
    doorbell = Doorbell()
    for _ in range(3):
        ring(doorbell)

    assert [record.getMessage() for record in caplog.records] == [
        "the broker does not answer; the next tick will ring"
    ]


def test_a_broker_that_was_left_alone_is_rung_again_later(broker, settings, monkeypatch):
    doorbell = Doorbell()
    url, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    ring(doorbell)
    settings.REDIS_URL = url
    doorbell = Doorbell()
    doorbell._rests_until = float("inf")
    ring(doorbell)
    assert queued(broker) == []

    doorbell._rests_until = 0.0
    ring(doorbell)
    assert len(queued(broker)) == 1
