from datetime import UTC, datetime

import pytest

from delivery.providers.retry_after import LONGEST, longest, read_retry_after

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (b" 7 ", 7.0),
        ("0", 0.0),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        (b"\xff", None),
        ("soon", None),
        ("Mon, 01 Jun 2026 12:00:30 GMT", 30.0),
        ("Mon, 01 Jun 2026 14:00:30 +0200", 30.0),
        ("Mon, 01 Jun 2026 12:00:30 -0000", 30.0),
        ("Mon, 01 Jun 2026 11:00:00 GMT", 0.0),
        ("Mon, 01 Jun 9026 11:00:00 GMT", LONGEST),
        ("9" * 30, LONGEST),
        ("Mon, 99 Jun 2026 11:00:00 GMT", None),
    ],
)
def test_both_forms_are_read_and_the_rest_is_nothing(
    value: str | bytes | None, seconds: float | None
) -> None:
    assert read_retry_after(value, now=NOON) == seconds


def test_the_longest_of_the_floors_counts() -> None:
    assert longest(None, 3.0, 5.0, None) == 5.0
    assert longest(None, None) is None
