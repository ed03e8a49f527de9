"""The bucket of an app's door: shared by processes, and asked for seldom."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from gateway.rest import throttling
from gateway.rest.throttling import BURST, FREE, LEASE, Throttle

APP = 2**31 - 1


@pytest.fixture
def process(settings):
    """Give processes that share a bucket nobody else has."""
    with Redis.from_url(settings.REDIS_URL) as broker:
        for key in broker.scan_iter(f"gateway:throttle:{APP}:*"):
            broker.delete(key)
    return Throttle


@pytest.fixture
def clock(monkeypatch):
    hands = [1000.0]
    monkeypatch.setattr(throttling, "monotonic", lambda: hands[0])
    return hands


@pytest.fixture
def trips(monkeypatch):
    """Count the round trips."""
    made, ask = [], Throttle._ask

    def counted(self, key, rate):
        made.append(key)
        return ask(self, key, rate)

    monkeypatch.setattr(Throttle, "_ask", counted)
    return made


def heard(throttle, requests, *, rate):
    waits = [throttle.wait(app_id=APP, door="server", rate=rate) for _ in range(requests)]
    return sum(wait == 0 for wait in waits)


def test_a_caller_far_from_the_limit_costs_no_round_trip(process, trips, clock):
    throttle = process()
    for _ in range(10):
        assert heard(throttle, 20, rate=2000) == 20
        clock[0] += 1
    assert trips == []


def test_a_caller_near_it_costs_a_few(process, trips, clock):
    assert heard(process(), 2000, rate=2000) == 2000
    assert len(trips) <= LEASE


def test_a_small_rate_is_exact(process, clock):
    throttle = process()
    assert heard(throttle, 10, rate=3) == 3 * BURST
    clock[0] += 0.01
    assert throttle.wait(app_id=APP, door="server", rate=3) > 0


def test_a_flood_of_refused_requests_asks_the_broker_no_more(process, trips, clock):
    throttle = process()
    heard(throttle, 10, rate=1)
    asked = len(trips)
    assert heard(throttle, 1000, rate=1) == 0
    assert len(trips) == asked


def test_processes_share_a_bucket(process, clock):
    first, second = process(), process()
    assert heard(first, 10, rate=5) == 10
    assert heard(second, 10, rate=5) == 0


def test_processes_together_are_ahead_by_what_is_free_to_each(process, clock):
    rate = 1000
    many = [process() for _ in range(4)]
    total = sum(heard(one, 3 * rate, rate=rate) for one in many)
    refilled = rate * 20 / LEASE  # the broker's clock runs on
    assert rate * BURST <= total <= rate * BURST + len(many) * rate // FREE + refilled


def test_threads_of_a_process_share_what_it_has(process):
    throttle = process()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: heard(throttle, 20, rate=4), range(8)))
    assert 4 * BURST <= sum(found) <= 4 * BURST + 4  # and what a second gives back


def test_doors_are_apart(process, clock):
    throttle = process()
    heard(throttle, 10, rate=1)
    assert throttle.wait(app_id=APP, door="device", rate=1) == 0
