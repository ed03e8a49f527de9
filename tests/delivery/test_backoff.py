from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from delivery.backoff import MOST, SPREAD, backoff


@given(attempt=st.integers(1, 40))
def test_each_wait_doubles_from_ten_seconds_up_to_an_hour(attempt):
    ideal = min(timedelta(seconds=10 * 2 ** (attempt - 1)), MOST)

    assert ideal * (1 - SPREAD) <= backoff(attempt) <= ideal * (1 + SPREAD)


@given(attempt=st.integers(1, 40), asked=st.floats(0, 86400))
def test_the_providers_wish_floors_the_wait(attempt, asked):
    assert backoff(attempt, at_least=asked) >= timedelta(seconds=asked)
