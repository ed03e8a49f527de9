"""The token buckets, in the real Redis of the run; time passes by moving what is stored back."""

import pytest
from redis import Redis

from delivery.buckets import NOW, Buckets

BUCKET = "1"
KEY = "gateway:pace:1"


@pytest.fixture(autouse=True)
def redis(settings):
    with Redis.from_url(settings.REDIS_URL, decode_responses=True) as redis:
        redis.delete(KEY)
        yield redis
        redis.delete(KEY)


@pytest.fixture
def buckets():
    return Buckets()


@pytest.fixture
def ask(buckets):
    def ask(pushes, *, rate=100, urgent=False):
        return buckets.ask(BUCKET, rate=rate, pushes=pushes, urgent=urgent, horizon=30)

    return ask


@pytest.fixture
def heed(buckets):
    def heed(*, wait=-1.0, overloaded=False, median=-1.0, rate=100):
        said = {"wait": wait, "overloaded": overloaded, "median": median}
        return buckets.heed(BUCKET, rate=rate, **said)

    return heed


@pytest.fixture
def rate(buckets):
    return lambda: buckets.rates([(BUCKET, 100)])[0]


@pytest.fixture
def later(redis):
    def later(seconds):
        for field in ("at", "since", "quiet", "promised"):
            if (value := redis.hget(KEY, field)) is not None:
                redis.hset(KEY, field, float(value) - seconds)

    return later


def test_a_bucket_is_full_at_first_and_then_fills_at_its_rate(ask, later):
    assert ask(100) == NOW
    assert ask(100).queue == pytest.approx(0.5, abs=0.1)  # of 150, 50 are left
    later(0.4)
    assert ask(100) != NOW
    later(0.4)
    assert ask(100) == NOW


def test_it_holds_a_second_and_a_half_at_most_however_long_nothing_is_sent(ask, later):
    ask(10)
    later(3600)
    assert [ask(50) == NOW for _ in range(4)] == [True, True, True, False]


def test_a_batch_of_more_than_a_seconds_worth_has_its_turn(ask, later):
    assert ask(1000, rate=10) == NOW
    assert ask(1000, rate=10) == (0, pytest.approx(100, abs=1), True)
    assert not ask(1000, rate=10).given
    later(101)
    assert ask(1000, rate=10) == NOW


def test_those_who_wait_are_given_turns_one_after_another(ask, redis):
    assert ask(150) == NOW
    began = float(redis.hget(KEY, "at"))
    turns = [(ask(100), *map(float, redis.hmget(KEY, "at", "promised"))) for _ in range(40)]

    # by the bucket's own clock: this machine may stand still between two of them
    given = [at + turn.queue - began for turn, at, _ in turns if turn.given]
    assert given == pytest.approx(range(1, len(given) + 1), abs=0.01)
    assert len(given) >= 30
    for turn, at, promised in turns:  # up to the horizon
        assert turn.queue < 31 if turn.given else promised - at >= 30


def test_urgent_pushes_are_counted_and_wait_for_urgent_ones_alone(ask, later):
    assert ask(150) == NOW
    assert [ask(50, urgent=True) for _ in range(2)] == [NOW, NOW]
    assert ask(100).queue == pytest.approx(2, abs=0.1)  # bulk pays it back
    assert ask(1, urgent=True) == NOW
    assert ask(1, urgent=True).queue > 0  # a second's worth is taken in advance
    later(0.1)
    assert ask(1, urgent=True) == NOW


def test_a_provider_that_wants_quiet_has_it_and_half_the_rate_from_then_on(ask, heed, later, rate):
    ask(1)
    assert heed(wait=60) == 50
    assert rate() == 0
    turn = ask(10, urgent=True)
    assert turn == (pytest.approx(60, abs=0.5), 0, True)
    assert ask(10).quiet == pytest.approx(60, abs=0.5)

    later(60.5)

    assert rate() == pytest.approx(50, abs=1)
    assert ask(10) == NOW
    assert ask(100) != NOW  # nothing was saved up in the meantime


def test_what_was_under_way_meanwhile_prolongs_the_quiet_and_slows_no_further(ask, heed, later):
    assert heed(wait=10) == 50
    assert heed(wait=60) == 0
    assert ask(1).quiet == pytest.approx(60, abs=0.5)
    later(61)
    assert heed(wait=10) == pytest.approx(25, abs=1)


def test_half_of_the_full_rate_comes_back_in_a_minute(heed, ask, later, rate):
    heed(wait=0)
    ask(1)
    seen = []
    for _ in range(4):
        seen.append(rate())
        later(20)
    assert seen == pytest.approx([50, 66, 83, 100], abs=2)
    later(600)
    assert rate() == 100


def test_a_rate_never_falls_to_nothing(heed, ask, rate):
    for _ in range(20):
        heed(wait=0)
    ask(1)
    assert rate() == pytest.approx(100 / 32, abs=0.5)


def test_an_overloaded_provider_gets_half_and_not_less_for_every_batch_under_way(heed, later):
    assert [heed(overloaded=True) for _ in range(3)] == [50, 0, 0]
    later(11)
    assert 0 < heed(overloaded=True) < 50


def test_a_provider_three_times_as_slow_as_usual_gets_less(heed, later):
    for _ in range(20):
        assert heed(median=0.3) == 0
    assert heed(median=0.8) == 0  # not by so much
    assert heed(median=1.5) == 80
    assert heed(median=1.5) == 0  # it is given time to show
    later(11)
    assert heed(median=1.5) > 0


def test_a_few_milliseconds_more_are_nothing_however_many_times_the_usual(heed):
    for _ in range(5):
        heed(median=0.01)
    assert heed(median=0.3) == 0


def test_a_provider_that_stays_slow_becomes_the_usual(heed, later):
    heed(median=0.3)
    slowed = []
    for _ in range(100):
        slowed.append(heed(median=1.5))
        later(11)
    assert slowed[0] > 0
    assert slowed[-30:] == [0] * 30


def test_only_those_that_sent_lately_have_a_rate(buckets, ask):
    assert buckets.rates([(BUCKET, 100), ("2", 100)]) == [None, None]
    ask(1)
    assert buckets.rates([(BUCKET, 100), ("2", 100)]) == [100, None]


def test_without_redis_nothing_waits_and_it_is_not_asked_again_at_once(settings, ask, heed):
    good, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    assert ask(10_000) == NOW
    settings.REDIS_URL = good
    assert [ask(10_000), ask(10_000)] == [NOW, NOW]  # left alone for a while
    assert heed(wait=60) == 0
