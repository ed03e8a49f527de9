"""Tags of in-app templates: found once each, filled in wherever they stand."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app.content import fill, find_tags, objection

texts = st.text(alphabet="{} ab", max_size=12)
contents = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("content", "tags"),
    [
        ({}, []),
        ({"a": None, "b": 1, "c": True, "d": []}, []),
        ({"a": "no tag, {one} brace, {{ }} nothing, {{}} nothing"}, []),
        ({"a": "Hi {{name}}, {{name}}!"}, ["name"]),
        ({"a": "{{ name }}", "b": "{{name}}"}, ["name"]),
        ({"z": "{{b}}{{a}}", "a": [{"x": "{{c}}"}, "{{b}}"]}, ["b", "a", "c"]),
        ({"{{key}}": 1}, []),
        ({"a": "{{first name}} {{a.b-c}} {{Größe}}"}, ["first name", "a.b-c", "Größe"]),
        ({"a": "{{{triple}}} {{open {{inner}}"}, ["triple", "inner"]),
        ({"a": "{{a\nb}}"}, ["a\nb"]),
    ],
)
def test_tags_are_found_once_each_in_document_order(content, tags):
    assert find_tags(content) == tags


def test_what_is_no_tag_costs_no_time():
    started = time.thread_time()
    assert (
        find_tags({"a": "{{" * 50_000, "b": "{{" + "a " * 100_000, "c": "{{" + " " * 100_000}) == []
    )
    assert time.thread_time() - started < 2


VALUES = {
    "name": "Ann",
    "n": 3,
    "f": 1.0,
    "yes": True,
    "none": None,
    "list": [1, "é"],
    "tag": "{{name}}",
    "back": r"\1\g<0>",
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("Hi {{name}}!", "Hi Ann!"),
        ("{{ name }} and {{name}}", "Ann and Ann"),
        ("{{n}} of {{f}}: {{yes}}", "3 of 1.0: true"),
        ("{{n}}", 3),
        ("{{f}}", 1.0),
        ("{{yes}}", True),
        ("{{none}}", None),
        ("{{list}}", [1, "é"]),
        ("is {{none}}", "is "),
        ("is {{list}}", 'is [1, "é"]'),
        ("{{nobody}}", ""),
        ("Hi {{nobody}}!", "Hi !"),
        ("{{tag}}, {{tag}}", "{{name}}, {{name}}"),
        ("{{back}} ", r"\1\g<0> "),
        ("{{ }} {{}}", "{{ }} {{}}"),
    ],
)
def test_a_tag_is_replaced_by_its_value(text, filled):
    found = fill({"a": [text]}, VALUES)
    assert (type(found["a"][0]), found) == (type(filled), {"a": [filled]})


def test_keys_and_other_values_stay_as_they_are():
    content = {"{{name}}": 1.0, "b": None, "c": [True, {"d": 12345678901234567890}]}
    assert fill(content, VALUES) == content


@given(content=contents)
def test_what_is_found_is_exactly_what_is_filled(content):
    tags = find_tags(content)
    assert all(tag and tag == tag.strip() for tag in tags)
    assert fill(content, {}) == fill(content, dict.fromkeys(tags, ""))
    assert (fill(content, dict.fromkeys(tags, "-")) == content) == (not tags)


@pytest.mark.parametrize("number", [1e16, -1e16, 1e22, 1.5e300, 2.0**64])
def test_numbers_that_would_change_are_objected_to(number):
    assert objection({"a": [{"b": number}]})


@pytest.mark.parametrize("number", [0, 1.0, 9999999999999998.0, 1e-300, 2**64 - 1, -(2**63), True])
def test_numbers_that_come_back_equal_are_not(number):
    assert objection({"a": [{"b": number}]}) is None
