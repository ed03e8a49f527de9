"""An audience or a rule, judged for one person on one device, part by part."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from crm.hurry import TookTooLong, within
from crm.models import Install, User
from crm.segments.compile import compile_rule
from crm.segments.explain import explain
from crm.segments.rules import All, AnyOf, Leaf, Node, Not, Rule
from crm.segments.vocabulary import Field
from delivery.targeting.segments import Ledger

PATIENCE = timedelta(seconds=3)
"""What one condition may take; of a ledger of months some take longer, and stay unanswered."""

HOLDS = """
SELECT EXISTS (SELECT 1 FROM ({members}) m
                WHERE m.user_id = %s AND m.install_id IS NOT DISTINCT FROM %s)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A condition in words and whether it holds; None where nobody could say in time.

    `parts` are the conditions it is made of. `known` is what is stored of the person or the device
    that it was judged by, where that is one value.
    """

    said: str
    holds: bool | None
    parts: Sequence["Check"] = ()
    known: Mapping[str, Any] = field(default_factory=dict)

    @property
    def broken(self) -> Sequence["Check"]:
        """The innermost conditions that do not hold, and so keep this one from holding."""
        if self.holds is not False:
            return ()
        inner = [broken for part in self.parts for broken in part.broken]
        return inner or (self,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody on one of their devices, or on none."""

    user: User
    install: Install | None
    now: datetime


def all_of(said: str, parts: Sequence[Check]) -> Check:
    """Give the condition that every part holds."""
    return Check(said=said, holds=_and([part.holds for part in parts]), parts=parts)


def any_of(said: str, parts: Sequence[Check]) -> Check:
    """Give the condition that one of the parts holds, at least."""
    return Check(said=said, holds=_or([part.holds for part in parts]), parts=parts)


def judge_rule(rule: Rule, person: Person) -> Check:
    """Give a segment's rule with each of its conditions judged, as of now."""
    return _node(rule.where, person)


def _node(node: Node, person: Person) -> Check:
    said = words(node)
    match node:
        case All(nodes):
            return all_of(said, [_node(inner, person) for inner in nodes])
        case AnyOf(nodes):
            return any_of(said, [_node(inner, person) for inner in nodes])
        case Not(inner):
            judged = _node(inner, person)
            holds = None if judged.holds is None else not judged.holds
            return Check(said=said, holds=holds, known=judged.known)
        case Leaf():
            return Check(said=said, holds=_holds(node, person), known=_known(node, person))


def words(node: Node) -> str:
    """Give a condition in words, such as `whose plan is gold`."""
    return explain(Rule(node)).removeprefix("people ")


def _holds(leaf: Leaf, person: Person) -> bool | None:
    """Ask the database, in the very words a send would; None where it takes too long."""
    app_id = person.user.app_id
    sql, params = compile_rule(Rule(leaf), app_id=app_id, now=person.now, pushes=Ledger())
    who = [person.user.pk, None if person.install is None else person.install.pk]
    try:
        with within(PATIENCE), connection.cursor() as cursor:
            cursor.execute(HOLDS.format(members=sql), [*params, *who])
            return bool(cursor.fetchone()[0])
    except TookTooLong:
        return None


def _known(leaf: Leaf, person: Person) -> Mapping[str, Any]:
    if leaf.field is Field.ATTRIBUTE:
        return {".".join(leaf.path): _at(person.user.attributes, leaf.path)}
    read = KNOWN.get(leaf.field)
    return {} if read is None else {leaf.field.value: read(person)}


def _at(attributes: Any, path: Sequence[str]) -> Any:
    for key in path:
        attributes = attributes.get(key) if isinstance(attributes, dict) else None
    return attributes


def _of_install(name: str) -> Callable[[Person], Any]:
    return lambda person: getattr(person.install, name, None)


KNOWN: Mapping[Field, Callable[[Person], Any]] = {
    Field.TAG: lambda person: person.user.tags,
    Field.USER: lambda person: person.user.uid,
    Field.CREATED: lambda person: person.user.created_at,
    Field.LAST_ACTIVE: lambda person: person.user.last_active_at,
    Field.PLATFORM: _of_install("os"),
    Field.OS_VERSION: _of_install("os_version"),
    Field.APP_VERSION: _of_install("app_version"),
    Field.LOCALE: _of_install("locale"),
    Field.COUNTRY: _of_install("country"),
    Field.TIMEZONE: _of_install("timezone"),
}


def _and(holds: Sequence[bool | None]) -> bool | None:
    if False in holds:
        return False
    return None if None in holds else True


def _or(holds: Sequence[bool | None]) -> bool | None:
    if True in holds:
        return True
    return None if None in holds else False
