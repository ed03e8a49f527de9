from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.wire.deadlines import Deadlines


@given(st.lists(st.floats(0, 3), min_size=1, max_size=200), st.floats(0, 40))
def test_nothing_is_overdue_early_and_nothing_stays_for_long(gaps, wait):
    deadlines, now, written = Deadlines(16.0), 100.0, {}
    for number, gap in enumerate(gaps):
        now += gap
        written[number * 2 + 1] = now
        deadlines.wrote(number * 2 + 1, now)
    assert len(deadlines._notes) <= len(gaps)
    last = deadlines.overdue(now + wait)
    for stream, at in written.items():
        age = now + wait - at
        if stream <= last:
            assert age >= 16 - 1e-6
        else:
            assert age < 17 + 1e-6


def test_a_busy_second_leaves_a_handful_of_notes():
    deadlines = Deadlines(16.0)
    for n in range(100_000):
        deadlines.wrote(n, n / 100_000)
    assert len(deadlines._notes) <= 2
