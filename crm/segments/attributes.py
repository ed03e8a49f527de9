"""Conditions on the attributes of a user `u`: JSON of any kind, which no comparison may fail on."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crm.segments.comparing import Query, bounds, listed, ordered
from crm.segments.moments import READABLE, texts_from, texts_until
from crm.segments.rules import Leaf
from crm.segments.vocabulary import Op

FEW = 16
"""So many values are looked up in the index; more are hashed, and met row by row."""

PATHS = {
    Op.GREATER: "{0} > {1}",
    Op.LESS: "{0} < {1}",
    Op.BETWEEN: "{0} >= {1} && {0} <= {2}",
}


def condition(leaf: Leaf) -> Query:
    """Give the condition a comparison with an attribute states."""
    attribute = _Attribute(leaf.path)
    match leaf.op:
        case Op.EXISTS:
            return attribute.exists()
        case Op.EQUALS:
            return attribute.equals(leaf.value)
        case Op.IN:
            return attribute.among(listed(leaf))
        case Op.CONTAINS:
            return attribute.contains(leaf.value)
        case Op.STARTS_WITH:
            return attribute.meets("{0} starts with {1}", leaf.value)
        case op:
            return attribute.ordered(op, bounds(leaf))


class _Attribute:
    """One attribute; `json` and `text` are its value in SQL, each to be followed by its keys."""

    def __init__(self, path: Sequence[str]) -> None:
        steps = " -> %s::text" * (len(path) - 1)
        self._keys = list(path)
        self._json = f"(u.attributes{steps} -> %s::text)"
        self._text = f"(u.attributes{steps} ->> %s::text)"

    def exists(self) -> Query:
        return f"{self._json} IS NOT NULL", self._keys

    def equals(self, value: Any) -> Query:
        """Containment is what an index answers; of a scalar it is equality."""
        contained = "u.attributes @> %s::jsonb"
        if not isinstance(value, dict | list):
            return contained, [self._around(value)]
        return (
            f"({contained} AND {self._json} = %s::jsonb)",
            [self._around(value), *self._keys, _spelled(value)],
        )

    def among(self, values: Sequence[Any]) -> Query:
        if len(values) <= FEW:
            return "u.attributes @> ANY(%s::jsonb[])", [[self._around(value) for value in values]]
        return f"{self._json} = ANY(%s::jsonb[])", [*self._keys, [_spelled(v) for v in values]]

    def contains(self, value: Any) -> Query:
        """Find a member of a list, or what is written anywhere in a text."""
        member, around = "u.attributes @> %s::jsonb", self._around([value])
        if not isinstance(value, str):
            return member, [around]
        within = f"jsonb_typeof({self._json}) = 'string' AND strpos({self._text}, %s) > 0"
        return f"({member} OR ({within}))", [around, *self._keys, *self._keys, value]

    def ordered(self, op: Op, ends: Sequence[Any]) -> Query:
        """Numbers go by size, texts by their code points, moments by time; none with another."""
        if isinstance(ends[0], datetime):
            return self._dated(op, ends)
        return self.meets(PATHS[op], *ends)

    def meets(self, predicate: str, *values: Any) -> Query:
        """Ask by a JSON path, to which a wrong type or a missing key is no error.

        The planner tries it on its sample of attributes; of `->` it knows nothing.
        """
        path = ".".join(["$", *map(_spelled, self._keys)])
        return "u.attributes @@ %s::jsonpath", [
            f"strict {predicate.format(path, *map(_spelled, values))}"
        ]

    def _dated(self, op: Op, ends: Sequence[datetime]) -> Query:
        """Compare texts that are moments, of those that begin as they must.

        The text is taken out of the attributes once, by a function, and not for each condition.
        """
        near, params = self.meets(*_near(op, ends))
        compared = ordered("t::timestamptz", op)
        found = f"unnest(ARRAY[{self._text}]) AS found (t)"
        return (
            f"({near} AND (SELECT CASE WHEN {READABLE} THEN {compared} END FROM {found}))",  # noqa: S608 - constants
            [*params, *ends, *self._keys],
        )

    def _around(self, value: Any) -> str:
        """Spell the smallest object that has this value under these keys."""
        for key in reversed(self._keys):
            value = {key: value}
        return _spelled(value)


def _near(op: Op, ends: Sequence[datetime]) -> tuple[str, ...]:
    match op:
        case Op.BEFORE:
            return "{0} <= {1}", texts_until(ends[0])
        case Op.AFTER:
            return "{0} >= {1}", texts_from(ends[0])
        case _:
            return PATHS[op], texts_from(ends[0]), texts_until(ends[1])


def _spelled(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
