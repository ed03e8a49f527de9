from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from delivery.backoff import MOST, SPREAD, backoff, together


@given(attempt=st.integers(1, 40))
def test_each_wait_doubles_from_ten_seconds_up_to_an_hour(attempt):
    ideal = min(timedelta(seconds=10 * 2 ** (attempt - 1)), MOST)

    assert ideal * (1 - SPREAD) <= backoff(attempt) <= ideal * (1 + SPREAD)


@given(attempt=st.integers(1, 40), asked=st.floats(0, 86400))
def test_the_providers_wish_floors_the_wait(attempt, asked):
    assert backoff(attempt, at_least=asked) >= timedelta(seconds=asked)


@given(wishes=st.lists(st.none() | st.floats(0, 86400), max_size=50), attempt=st.integers(1, 12))
def test_those_asked_to_wait_differently_wait_in_few_groups_and_nobody_twice_as_long(
    wishes, attempt
):
    ours = backoff(attempt)
    groups = together(enumerate(wishes), ours=ours)

    assert sorted(token_id for _, ids in groups for token_id in ids) == list(range(len(wishes)))
    assert len(groups) <= 16
    for wait, ids in groups:
        for token_id in ids:
            alone = max(ours, timedelta(seconds=wishes[token_id] or 0))
            assert alone <= wait < 2 * alone + timedelta(seconds=1e-3)
