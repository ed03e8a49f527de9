import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.errors import Invalid
from crm.segments.explain import explain
from crm.segments.rules import BadRule, Leaf, Not, Rule, parse
from crm.segments.vocabulary import SUITS, Field, Op

GOLD = {"field": "attribute", "name": "plan", "op": "equals", "value": "gold"}


def rule_of(where):
    return {"version": 1, "where": where}


def refused(document):
    with pytest.raises(BadRule) as caught:
        parse(document)
    assert isinstance(caught.value, Invalid)
    return caught.value.reasons


def within(levels, node=GOLD):
    for _ in range(levels):
        node = {"not": node}
    return node


def test_a_rule_becomes_a_tree():
    assert parse(rule_of({"not": GOLD})) == Rule(
        Not(Leaf(Field.ATTRIBUTE, Op.EQUALS, "gold", ("plan",)))
    )


def test_not_as_an_operator_is_the_opposite_of_equals():
    assert parse(rule_of({**GOLD, "op": "not"})) == parse(rule_of({"not": GOLD}))


def test_every_bad_node_is_named_at_once():
    where = {
        "all": [
            GOLD,
            {**GOLD, "op": "resembles"},
            {"any": [{"field": "shoe"}, {"not": {"field": "tag", "op": "in", "value": "vip"}}, 7]},
            {"field": "attribute", "op": "less", "value": [1]},
            {"field": "opened", "op": "equals"},
            {"any": []},
            {"all": [GOLD], "any": [GOLD]},
            {**GOLD, "nmae": "x"},
        ]
    }
    assert set(refused(rule_of(where))) == {
        "rule.where.all[1].op",
        "rule.where.all[2].any[0].field",
        "rule.where.all[2].any[1].not.value",
        "rule.where.all[2].any[2]",
        "rule.where.all[3].name",
        "rule.where.all[4].value",
        "rule.where.all[5].any",
        "rule.where.all[6]",
        "rule.where.all[7]",
    }


@pytest.mark.parametrize(
    ("document", "at"),
    [
        (None, "rule"),
        ([], "rule"),
        ("gold", "rule"),
        ({}, "rule.version"),
        ({"version": 2, "where": 7}, "rule.version"),
        ({"version": True, "where": GOLD}, "rule.version"),
        ({"version": 1.0, "where": GOLD}, "rule.version"),
        ({"version": 1}, "rule.where"),
        ({"version": 1, "where": None}, "rule.where"),
        ({"version": 1, "where": {}}, "rule.where"),
        ({"version": 1, "where": GOLD, "then": 1}, "rule"),
    ],
)
def test_what_is_no_rule_of_this_version_is_refused(document, at):
    assert set(refused(document)) == {at}


@pytest.mark.parametrize(
    ("leaf", "key"),
    [
        ({"op": "greater", "value": True}, "value"),
        ({"op": "greater", "value": None}, "value"),
        ({"op": "between", "value": [1]}, "value"),
        ({"op": "between", "value": [1, "2"]}, "value"),
        ({"op": "in", "value": []}, "value"),
        ({"op": "in", "value": [1] * 1001}, "value"),
        ({"op": "in", "value": [[1]]}, "value"),
        ({"op": "starts_with", "value": ""}, "value"),
        ({"op": "exists", "value": True}, "value"),
        ({"op": "before", "value": "2023-02-29"}, "value"),
        ({"op": "before", "value": "2023-02-28T24:00"}, "value"),
        ({"op": "before", "value": "0000-01-01"}, "value"),
        ({"op": "before", "value": 1700000000}, "value"),
        ({"op": "within_days", "value": 0}, "value"),
        ({"op": "within_days", "value": 36501}, "value"),
        ({"op": "within_days", "value": True}, "value"),
        ({"op": "equals", "value": "\0"}, "value"),
        ({"op": "equals", "value": "\ud800"}, "value"),
        ({"op": "equals", "value": {"\0": 1}}, "value"),
        ({"op": "equals", "value": float("inf")}, "value"),
        ({"op": "equals", "value": float("nan")}, "value"),
        ({"op": "equals", "value": 10**5000}, "value"),
        ({"op": "equals", "value": "x" * 1001}, "value"),
        ({"op": "equals", "value": [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}, "value"),
        ({"op": "equals", "value": 1, "name": ""}, "name"),
        ({"op": "equals", "value": 1, "name": []}, "name"),
        ({"op": "equals", "value": 1, "name": ["a", 1]}, "name"),
        ({"op": "equals", "value": 1, "name": ["a"] * 17}, "name"),
        ({"op": "equals", "value": 1, "name": "\0"}, "name"),
        ({"op": [], "value": 1}, "op"),
        ({"op": {}, "value": 1}, "op"),
        ({"op": "Equals", "value": 1}, "op"),
        ({"field": "tag", "op": "greater", "value": "a"}, "op"),
        ({"field": "platform", "op": "equals", "value": "symbian"}, "value"),
        ({"field": "platform", "op": "equals", "value": []}, "value"),
        ({"field": "country", "op": "equals", "value": "GBR"}, "value"),
        ({"field": "app_version", "op": "equals", "value": 10.2}, "value"),
        ({"field": "app_version", "op": "equals", "value": "10.2-beta"}, "value"),
        ({"field": "app_version", "op": "equals", "value": "\u0661\u0660"}, "value"),
        ({"field": "opened", "op": "equals", "value": 2**31}, "value"),
        ({"field": "opened", "op": "equals", "value": "12"}, "value"),
        ({"field": "channel", "op": "equals", "value": 0}, "value"),
        ({"field": "received", "op": "exists"}, "op"),
    ],
)
def test_what_does_not_suit_a_comparison_is_refused_at_its_key(leaf, key):
    node = {"field": "attribute", **leaf}
    if node["field"] == "attribute":
        node = {"name": "plan", **node}
    assert set(refused(rule_of(node))) == {f"rule.where.{key}"}


def test_a_rule_is_bounded():
    parse(rule_of(within(15)))
    assert set(refused(rule_of(within(16)))) == {"rule.where" + ".not" * 16}
    assert set(refused(rule_of(within(5000)))) == {"rule.where" + ".not" * 16}
    parse(rule_of({"all": [GOLD] * 199}))
    assert set(refused(rule_of({"all": [GOLD] * 200}))) == {"rule.where"}
    assert set(refused(rule_of({"all": [GOLD] * 100_000}))) == {"rule.where"}


def test_a_name_belongs_to_attributes_alone():
    leaf = {"field": "tag", "op": "equals", "value": "vip", "name": "plan"}
    assert set(refused(rule_of(leaf))) == {"rule.where"}


# any JSON at all, and JSON that is nearly a rule

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
words = st.sampled_from([*Field, *Op, "version", "where", "all", "any", "not", "field", "op"])
words |= st.sampled_from(["value", "name", "2021-08-31", "10.2", "ios", "GB"])
keys = st.sampled_from(["all", "any", "not", "field", "op", "value", "name"]) | words
documents = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
leaves = st.fixed_dictionaries(
    {"field": st.sampled_from([*Field])},
    optional={"op": st.sampled_from([*Op]) | scalars, "value": documents, "name": documents},
)
nodes = st.recursive(
    leaves | documents,
    lambda inner: (
        st.dictionaries(
            st.sampled_from(["all", "any"]), st.lists(inner, max_size=3), min_size=1, max_size=1
        )
        | st.builds(lambda node: {"not": node}, inner)
    ),
    max_leaves=10,
)


@settings(max_examples=500, deadline=None)
@given(document=documents | nodes.map(rule_of))
def test_any_json_is_a_rule_or_refused_where_it_is_wrong(document):
    try:
        said = explain(parse(document))
    except BadRule as bad:
        reasons = bad.reasons
    else:
        assert said.startswith("people who")
        return
    assert reasons
    for at, why in reasons.items():
        assert at == "rule" or at.startswith("rule."), at
        assert all(isinstance(reason, str) and reason for reason in why)


@pytest.mark.parametrize("field", Field)
def test_every_operator_of_every_field_has_a_reader(field):
    assert SUITS[field]
