import pytest

from crm.segments.explain import explain
from crm.segments.rules import parse


def leaf(field, op, *value, **more):
    return {"field": field, "op": op, **({"value": value[0]} if value else {}), **more}


def plan(op, *value):
    return leaf("attribute", op, *value, name="plan")


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (plan("equals", "gold"), "whose plan is gold"),
        (plan("not", "gold"), "whose plan is not gold"),
        (plan("equals", "true"), 'whose plan is "true"'),
        (plan("equals", "12"), 'whose plan is "12"'),
        (plan("equals", 12), "whose plan is 12"),
        (plan("equals", None), "whose plan is null"),
        (plan("equals", {"a": [1]}), 'whose plan is {"a": [1]}'),
        (plan("equals", "{0}"), 'whose plan is "{0}"'),
        (plan("in", ["a", "b", "c"]), "whose plan is one of a, b or c"),
        (plan("in", [*range(9)]), "whose plan is one of 0, 1, 2, 3, 4 or 4 more"),
        (plan("in", ["a"]), "whose plan is one of a"),
        (plan("between", [1, 2.5]), "whose plan is between 1 and 2.5"),
        (plan("exists"), "whose plan is set"),
        ({"not": plan("exists")}, "whose plan is not set"),
        (plan("contains", "o l"), 'whose plan contains "o l"'),
        (plan("before", "2021-08-31"), "whose plan is before 2021-08-31"),
        (plan("after", "2021-08-31T13:55:58Z"), "whose plan is after 2021-08-31 13:55:58"),
        (plan("within_days", 1), "whose plan is within the last day"),
        (leaf("attribute", "less", 3, name=["car", "doors"]), "whose car.doors is less than 3"),
        (leaf("tag", "equals", "vip"), "who carry the tag vip"),
        (leaf("tag", "exists"), "who carry any tag"),
        (leaf("channel", "in", ["a", 7]), "who are subscribed to channel a or 7"),
        (leaf("user", "starts_with", "m"), "whose id starts with m"),
        (leaf("platform", "equals", "ios"), "whose platform is ios"),
        (leaf("app_version", "greater", "10.2"), 'whose app version is greater than "10.2"'),
        (leaf("created", "after", "2021-08-31"), "who became known after 2021-08-31"),
        (leaf("last_active", "within_days", 7), "who were last active within the last 7 days"),
        (leaf("last_active", "exists"), "who were last active at any time"),
        (leaf("received", "within_days", 7), "who received a push within the last 7 days"),
        ({"not": leaf("opened", "equals", 12)}, "who have not opened notification 12"),
        ({"not": {"not": plan("exists")}}, "whose plan is set"),
    ],
)
def test_a_rule_is_said_in_words(where, words):
    assert explain(parse({"version": 1, "where": where})) == f"people {words}"


def test_groups_keep_their_brackets_and_the_opposite_of_a_group_is_a_group_of_opposites():
    gold, vip, opened = (
        plan("equals", "gold"),
        leaf("tag", "equals", "vip"),
        leaf("opened", "equals", 12),
    )
    where = {"all": [gold, {"any": [vip, {"not": {"all": [gold, opened]}}]}]}
    assert explain(parse({"version": 1, "where": where})) == (
        "people whose plan is gold and (who carry the tag vip or"
        " (whose plan is not gold or who have not opened notification 12))"
    )
