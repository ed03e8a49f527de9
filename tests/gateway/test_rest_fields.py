"""Wire values read strictly, and refusals that name every key at once."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from gateway.rest.errors import reasons_of
from gateway.rest.fields import (
    AnyObject,
    Flag,
    ObjectOfObjects,
    Text,
    Texts,
    WallClock,
    Whole,
    Wholes,
    WireObject,
    Word,
)
from gateway.rest.storable import DEEPEST, cleaned, objection

ONES = [None, True, False, 0, 1, 1.0, 1.5, "", "a", "1", "true", [], ["a"], [1], {}, {"a": {}}]


def fits(field, value) -> bool:
    try:
        found = field.run_validation(value)
    except ValidationError:
        return False
    return type(found) is type(value) and found == value


@pytest.mark.parametrize(
    ("field", "kinds"),
    [
        (Text(allow_blank=True), str),
        (Flag(), bool),
        (Whole(), int),
    ],
    ids=["text", "flag", "whole"],
)
def test_a_field_takes_its_own_kind_only(field, kinds):
    assert [value for value in ONES if fits(field, value)] == [
        value for value in ONES if type(value) is kinds
    ]


@pytest.mark.parametrize(
    ("field", "taken"),
    [
        (Texts(), [[], ["a"]]),
        (Wholes(), [[], [1]]),
        (AnyObject(), [{}, {"a": {}}]),
        (ObjectOfObjects(), [{}, {"a": {}}]),
        (Word(choices=["a", "1"]), ["a", "1"]),
    ],
    ids=["texts", "wholes", "object", "objects", "word"],
)
def test_a_field_of_many_takes_only_what_fits_throughout(field, taken):
    assert [value for value in ONES if fits(field, value)] == taken


def test_text_is_measured_in_bytes_where_the_wire_does():
    field = Text(at_most_bytes=4)
    assert fits(field, "éé")
    assert fits(field, "abcd")
    assert not fits(field, "ééé")
    assert not fits(field, "abcde")


def test_text_keeps_its_spaces():
    assert Text().run_validation("  a ") == "  a "


@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 12, 31)))
def test_every_minute_can_be_said_and_is_read_back(moment):
    spelled = moment.strftime("%Y-%m-%d %H:%M")
    assert WallClock().run_validation(spelled) == moment.replace(second=0, microsecond=0)


@given(st.text(max_size=20))
def test_no_other_text_is_a_moment(text):
    try:
        found = WallClock().run_validation(text)
    except ValidationError:
        return
    assert found.strftime("%Y-%m-%d %H:%M").zfill(16) == text


class Inner(WireObject):
    def get_fields(self):
        return {"count": Whole()}


class Outer(WireObject):
    def get_fields(self):
        return {"name": Text(), "inner": Inner(required=False), "list": Texts(required=False)}

    def cross_reasons(self, data):
        return {"name": "never seen", "list": "Name somebody."} if "list" not in data else {}


def reasons(sent):
    with pytest.raises(ValidationError) as refusal:
        Outer.read(sent)
    return reasons_of(refusal.value)


def test_all_reasons_are_given_at_once_under_dotted_keys():
    assert reasons({"inner": {"count": "1"}, "list": [1]}) == {
        "name": ["This field is required."],
        "inner.count": ["A valid integer is required."],
        "list": [Texts.complaint],
    }


def test_reasons_between_members_stand_beside_those_of_members():
    assert reasons({"name": 5}) == {"name": ["Not a valid string."], "list": ["Name somebody."]}


@pytest.mark.parametrize("inner", [5, "x", [], [{}], True])
def test_an_inner_object_of_the_wrong_kind_is_refused_under_its_own_key(inner):
    found = reasons({"name": "a", "list": [], "inner": inner})
    assert list(found) == ["inner"]


@pytest.mark.parametrize("whole", [5, "x", [], None])
def test_a_whole_that_is_no_object_is_refused(whole):
    assert reasons(whole).keys() == {""}


def nested(levels: int):
    value: object = 1
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


def test_nesting_is_bounded_exactly():
    assert objection(nested(DEEPEST)) is None
    assert objection(nested(DEEPEST + 1)) is not None
    assert cleaned(nested(DEEPEST + 1)) is None
    assert objection(nested(100_000)) is not None


values = st.recursive(
    st.none() | st.integers() | st.text(alphabet="a\0", max_size=4),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet="a\0", max_size=3), inner),
)


@given(values)
def test_what_was_cleaned_can_be_stored(value):
    assert objection(cleaned(value)) is None
    if objection(value) is None:
        assert cleaned(value) is value
