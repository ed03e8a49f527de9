import json

import pytest
from django.conf import settings
from redis import Redis

from gateway import beat
from gateway.celery import app

QUEUES = ("urgent", "bulk")


@pytest.fixture
def broker():
    with Redis.from_url(settings.REDIS_URL) as broker:
        names = [*QUEUES, *map(beat.UNHEARD.format, app.conf.beat_schedule)]
        broker.delete(*names)
        yield broker
        broker.delete(*names)


@pytest.fixture
def at(monkeypatch, broker):
    """Give a way to have the beat look at a second of its life, and say what it rang for."""
    beats = beat.Beats(app=app)
    now = [0.0]
    monkeypatch.setattr(beat, "monotonic", lambda: now[0])

    def look(second):
        now[0] = 1000.0 + second
        beats.tick()
        return sorted(rung(broker))

    yield look
    beats.close()


def rung(broker):
    for queue in QUEUES:
        while (message := broker.lpop(queue)) is not None:
            headers = json.loads(message)["headers"]
            assert headers["expires"] is None
            yield headers["task"]


def test_it_begins_with_everything_at_once(at):
    assert at(0) == ["add_up", "sweep", "tick", "upkeep", "welcome_zones"]


def test_what_is_heard_is_rung_for_at_its_interval(at):
    heard = []
    for second in range(11):
        for name in at(second):
            beat.hear(name)
            heard.append(name)

    assert heard.count("tick") == 11
    assert heard.count("welcome_zones") == 3
    assert heard.count("upkeep") == 1


def test_what_nobody_hears_is_rung_for_more_and_more_rarely(at):
    rings = [second for second in range(301) if "tick" in at(second)]

    assert rings == [0, 2, 6, 14, 30, 62, 122, 182, 242]


def test_whoever_hears_again_is_rung_for_at_once(at):
    for second in range(100):
        at(second)
    beat.hear("tick")

    assert "tick" in at(100)
    beat.hear("tick")
    assert "tick" in at(101)


def test_a_broker_that_is_away_stops_no_beat(at, monkeypatch, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    at(0)
    beat.hear("tick")
