"""What is kept of a caller's JSON, judged in one pass over its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rest.storable import DEEPEST, cleaned, nested_deeper, objection

LETTERS = st.text(st.sampled_from("a\\u0\0\ud800é"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | LETTERS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LETTERS, inner, max_size=3),
    max_leaves=12,
)


def texts(value):
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def nested(levels, inmost):
    value = inmost
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


@given(VALUES)
def test_null_characters_are_found_wherever_they_stand(value):
    assert (objection(value) is not None) == any("\0" in text for text in texts(value))
    assert not any("\0" in text for text in texts(cleaned(value)))


def test_a_backslash_before_the_same_letters_is_no_null_character():
    assert objection({"a": "\\u0000"}) is None
    assert objection({"\\u0000": "\\u0000\0"}) is not None


@pytest.mark.parametrize("inmost", [1, [], {}, "a"])
def test_levels_are_counted_by_what_stands_in_what(inmost):
    holds = isinstance(inmost, list | dict)
    deepest = nested(DEEPEST - 1 if holds else DEEPEST, inmost)
    assert objection(deepest) is None
    assert "Nested more" in objection([deepest])
    assert cleaned([deepest]) is None


def test_one_deep_branch_is_enough():
    assert nested_deeper({"a": 1, "b": [[], [[2]]]}, 3)
    assert not nested_deeper({"a": 1, "b": [[], [[2]]]}, 4)
    assert not nested_deeper("a", 1)
