"""Operators as SQL: what compile and attributes have in common."""

from collections.abc import Sequence
from typing import Any

from crm.segments.rules import Leaf
from crm.segments.vocabulary import Op

Query = tuple[str, list[Any]]
"""A text with placeholders, and what goes into them in order."""

ORDERS = {
    Op.GREATER: "{0} > {1}",
    Op.AFTER: "{0} > {1}",
    Op.LESS: "{0} < {1}",
    Op.BEFORE: "{0} < {1}",
    Op.BETWEEN: "{0} BETWEEN {1} AND {1}",
}


def ordered(expression: str, op: Op, bound: str = "%s") -> str:
    """Give the comparison of an expression with its bound or bounds."""
    return ORDERS[op].format(expression, bound)


def bounds(leaf: Leaf) -> list[Any]:
    """Give what `ordered` compares with, in order."""
    return list(leaf.value) if leaf.op is Op.BETWEEN else [leaf.value]


def listed(leaf: Leaf) -> list[Any]:
    """Give the values any of which will do."""
    return list(leaf.value) if leaf.op is Op.IN else [leaf.value]


def joined(word: str, parts: Sequence[Query]) -> Query:
    """Give several conditions as one."""
    return f"({word.join(sql for sql, _ in parts)})", [p for _, params in parts for p in params]
