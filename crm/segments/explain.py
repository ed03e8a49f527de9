"""Rule → words: what an operator reads before anything is sent."""

import json
import re
from datetime import datetime
from typing import Any

from crm.segments.rules import All, AnyOf, Leaf, Node, Not, Rule
from crm.segments.vocabulary import Field, Op

PLAIN = re.compile(r"[^\W\d][\w./@+-]*")
WORDS_OF_JSON = {"null", "true", "false"}
MOST_LISTED = 5

WHOSE = {
    Field.USER: "id",
    Field.PLATFORM: "platform",
    Field.OS_VERSION: "OS version",
    Field.APP_VERSION: "app version",
    Field.LOCALE: "locale",
    Field.COUNTRY: "country",
    Field.TIMEZONE: "time zone",
}

# what is true of them, and what is not
PHRASES = {
    Op.EQUALS: ("is {0}", "is not {0}"),
    Op.IN: ("is one of {0}", "is none of {0}"),
    Op.GREATER: ("is greater than {0}", "is not greater than {0}"),
    Op.LESS: ("is less than {0}", "is not less than {0}"),
    Op.BETWEEN: ("is between {0} and {1}", "is not between {0} and {1}"),
    Op.CONTAINS: ("contains {0}", "does not contain {0}"),
    Op.STARTS_WITH: ("starts with {0}", "does not start with {0}"),
    Op.EXISTS: ("is set", "is not set"),
    Op.BEFORE: ("is before {0}", "is not before {0}"),
    Op.AFTER: ("is after {0}", "is not after {0}"),
    Op.WITHIN_DAYS: ("is within the last {0}", "is not within the last {0}"),
}

DEEDS = {
    Field.CREATED: ("who became known {0}", "who did not become known {0}"),
    Field.LAST_ACTIVE: ("who were last active {0}", "who were not last active {0}"),
    Field.RECEIVED: ("who received a push {0}", "who received no push {0}"),
    Field.OPENED: ("who have opened {0}", "who have not opened {0}"),
    Field.TAG: ("who carry {0}", "who do not carry {0}"),
    Field.CHANNEL: ("who are subscribed to {0}", "who are not subscribed to {0}"),
}
THINGS = {Field.OPENED: "notification", Field.TAG: "the tag", Field.CHANNEL: "channel"}
WHEN = {
    Op.BEFORE: "before {0}",
    Op.AFTER: "after {0}",
    Op.BETWEEN: "between {0} and {1}",
    Op.WITHIN_DAYS: "within the last {0}",
    Op.EXISTS: "at any time",
}


def explain(rule: Rule) -> str:
    """Give a rule in words, such as `people whose plan is gold`; groups keep their brackets."""
    said = _node(rule.where, so=True)
    return f"people {said[1:-1] if said.startswith('(') else said}"


def _node(node: Node, *, so: bool) -> str:
    """Say a condition, or its opposite."""
    match node:
        case Not(inner):
            return _node(inner, so=not so)
        case All(nodes) | AnyOf(nodes):
            # of a group the opposite is the other group of opposites
            word = " and " if isinstance(node, All) is so else " or "
            said = [_node(inner, so=so) for inner in nodes]
            return said[0] if len(said) == 1 else f"({word.join(said)})"
        case Leaf():
            return _leaf(node, so=so)


def _leaf(leaf: Leaf, *, so: bool) -> str:
    side = 0 if so else 1
    if leaf.field in DEEDS:
        return DEEDS[leaf.field][side].format(_object(leaf))
    name = ".".join(map(_text, leaf.path)) or WHOSE[leaf.field]
    return f"whose {name} {PHRASES[leaf.op][side].format(*_values(leaf))}"


def _object(leaf: Leaf) -> str:
    if leaf.field not in THINGS:
        return WHEN[leaf.op].format(*_values(leaf))
    if leaf.op is Op.EXISTS:
        return f"any {leaf.field}"
    return f"{THINGS[leaf.field]} {_values(leaf)[0]}"


def _values(leaf: Leaf) -> list[str]:
    match leaf.op:
        case Op.EXISTS:
            return []
        case Op.WITHIN_DAYS:
            return ["day" if leaf.value == 1 else f"{leaf.value} days"]
        case Op.BETWEEN:
            return [_value(end) for end in leaf.value]
        case Op.IN:
            return [_list(leaf.value)]
        case _:
            return [_value(leaf.value)]


def _list(values: tuple[Any, ...]) -> str:
    shown = [_value(value) for value in values[:MOST_LISTED]]
    more = len(values) - len(shown)
    if more:
        shown.append(f"{more} more")
    return " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return _moment(value)
    return _text(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(text: str) -> str:
    """Give a text as it is, in quotes where it could be taken for something else."""
    if PLAIN.fullmatch(text) and text not in WORDS_OF_JSON:
        return text
    return json.dumps(text, ensure_ascii=False)


def _moment(moment: datetime) -> str:
    return moment.isoformat(" ").removesuffix("+00:00").removesuffix(" 00:00:00")
