"""Rules are data: a JSON document becomes a tree, or every reason why not, each at its node."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from crm.errors import Invalid
from crm.segments import values
from crm.segments.values import Unfit
from crm.segments.vocabulary import SUITS, Field, Op

VERSION = 1
DEEPEST = 16
MOST_NODES = 200
REQUIRED = "This field is required."

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class All:
    """Every one of several conditions."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of several conditions."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Whatever a condition is not true of, for lack of a value too."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison; `path` leads to the attribute it is about, `op` is never `not`."""

    field: Field
    op: Op
    value: Any = None
    path: tuple[str, ...] = ()


Node = All | AnyOf | Not | Leaf


@dataclass(frozen=True, slots=True)
class Rule:
    """Who belongs to a segment."""

    where: Node


class BadRule(Invalid):
    """A rule nobody can follow; each reason stands at the node it is about."""

    def __init__(self, reasons: Mapping[str, Sequence[str]]) -> None:
        field, why = next(iter(reasons.items()))
        super().__init__(why[0], field=field)
        self.reasons = reasons


def parse(document: Any, *, at: str = "rule") -> Rule:
    """Give the rule a decoded JSON document states; raises `BadRule` with all that is wrong."""
    reader = _Reader()
    where = reader.rule(document, at)
    if where is None or reader.reasons:
        raise BadRule(reader.reasons)
    return Rule(where)


class _Enough(Exception):
    """There are more nodes than anybody looks at."""


class _Reader:
    """Reads all of a document, and takes note of what it cannot."""

    def __init__(self) -> None:
        self.reasons: dict[str, list[str]] = {}
        self._seen = 0

    def rule(self, document: Any, at: str) -> Node | None:
        if not isinstance(document, dict):
            self._note(at, "Must be an object.")
            return None
        self._member(document, at, "version", _version)
        if self.reasons:
            return None
        self._check_keys(document, at, "version", "where")
        try:
            return self._member(
                document, at, "where", partial(self._node, at=f"{at}.where", level=1)
            )
        except _Enough:
            self._note(f"{at}.where", f"At most {MOST_NODES} nodes are allowed.")
            return None

    def _node(self, node: Any, at: str, *, level: int) -> Node | None:
        self._seen += 1
        if self._seen > MOST_NODES:
            raise _Enough
        try:
            kind = _kind(node, level)
        except Unfit as why:
            self._note(at, str(why))
            return None
        if kind == "field":
            return self._leaf(node, at)
        self._check_keys(node, at, kind)
        inner, at = node[kind], f"{at}.{kind}"
        if kind == "not":
            found = self._node(inner, at, level=level + 1)
            return None if found is None else Not(found)
        nodes = self._nodes(inner, at, level=level + 1)
        return All(nodes) if kind == "all" else AnyOf(nodes)

    def _nodes(self, nodes: Any, at: str, *, level: int) -> tuple[Node, ...]:
        if not isinstance(nodes, list) or not nodes:
            self._note(at, "Must be a list of at least one condition.")
            return ()
        read = [self._node(node, f"{at}[{n}]", level=level) for n, node in enumerate(nodes)]
        return tuple(node for node in read if node is not None)

    def _leaf(self, node: dict[str, Any], at: str) -> Node | None:
        field = self._member(node, at, "field", _field)
        if field is None:
            return None
        op = self._member(node, at, "op", partial(_op, field))
        path = self._member(node, at, "name", _path) if field is Field.ATTRIBUTE else ()
        known = ["name"] if field is Field.ATTRIBUTE else []
        self._check_keys(node, at, "field", "op", "value", *known)
        if op is None or path is None:
            return None
        if op is Op.EXISTS:
            node = {"value": None, **node}
        value = self._member(node, at, "value", SUITS[field][op])
        if op is Op.NOT:
            return Not(Leaf(field, Op.EQUALS, value, path))
        return Leaf(field, op, value, path)

    def _member(
        self, node: dict[str, Any], at: str, key: str, read: Callable[[Any], T]
    ) -> T | None:
        """Read what stands at a key; None where it is missing or will not do."""
        try:
            if key not in node:
                raise Unfit(REQUIRED)  # noqa: TRY301 - the one way out
            return read(node[key])
        except Unfit as why:
            self._note(f"{at}.{key}", str(why))
            return None

    def _check_keys(self, node: dict[str, Any], at: str, *known: str) -> None:
        """Refuse what nobody reads: a slip of the pen must not widen an audience."""
        unknown = next((key for key in node if key not in known), None)
        if unknown is not None:
            self._note(at, f"Unknown key {json.dumps(unknown[:40])}.")

    def _note(self, at: str, reason: str) -> None:
        self.reasons.setdefault(at, []).append(reason)


def _version(said: Any) -> int:
    if type(said) is not int or said != VERSION:
        raise Unfit(f"Must be {VERSION}.")
    return said


def _kind(node: Any, level: int) -> str:
    if level > DEEPEST:
        raise Unfit(f"Is nested more than {DEEPEST} levels deep.")
    if not isinstance(node, dict):
        raise Unfit("Must be an object.")
    kinds = [kind for kind in ("all", "any", "not", "field") if kind in node]
    if len(kinds) != 1:
        raise Unfit("Must have exactly one of all, any, not and field.")
    return kinds[0]


def _field(said: Any) -> Field:
    if not isinstance(said, str) or said not in list(Field):
        raise Unfit(f"Must be one of {', '.join(Field)}.")
    return Field(said)


def _op(field: Field, said: Any) -> Op:
    if not isinstance(said, str) or said not in list(SUITS[field]):
        raise Unfit(f"For {field} it must be one of {', '.join(SUITS[field])}.")
    return Op(said)


def _path(said: Any) -> tuple[str, ...]:
    keys = said if isinstance(said, list) else [said]
    if not 1 <= len(keys) <= DEEPEST:
        raise Unfit(f"Must be a key or a list of 1 to {DEEPEST} keys.")
    return tuple(map(values.text, keys))
