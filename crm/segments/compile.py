"""Rule → one query: every condition is SQL that cannot fail, whatever is stored."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from crm.segments import attributes
from crm.segments.comparing import Query, bounds, joined, listed, ordered
from crm.segments.rules import All, AnyOf, Leaf, Node, Not, Rule
from crm.segments.vocabulary import Field, Op

# an anonymous user whose install somebody signed in on is nobody any more
PEOPLE = """
SELECT u.id AS user_id, i.id AS install_id
  FROM crm_user u LEFT JOIN crm_install i ON i.user_id = u.id
 WHERE u.app_id = %s AND NOT (u.anonymous AND i.id IS NULL) AND """

PLATFORM = """CASE WHEN i.sdk_type IN ('Web', 'Optimove Web') THEN 'web'
 WHEN i.os = 'Windows Phone' THEN 'windows' ELSE lower(i.os) END"""

# numbers of any length, without the zeros at the end that change nothing: 10.0 is 10
VERSION = (
    "string_to_array(regexp_replace(substring({0} from '^[0-9]+(?:[.][0-9]+)*'),"
    " '(?:[.]0+)+$', ''), '.')::numeric[]"
)

# OFFSET keeps the condition from being asked of every row before DISTINCT
VERSIONS = """SELECT version FROM
  (SELECT DISTINCT {column} AS version FROM crm_install WHERE app_id = %s OFFSET 0) versions"""

SUBSCRIBED = """SELECT s.{owner}_id FROM crm_channel c
  JOIN crm_channelsubscription s ON s.channel_id = c.id AND s.{owner}_id IS NOT NULL
 WHERE c.app_id = %s"""


class Pushes(Protocol):
    """What rules ask about pushes, as conditions on a user `u` and an install `i`.

    Who people are says nothing of it; whoever sends knows.
    """

    def opened(self, notification_ids: list[int], *, app_id: int) -> Query:
        """Give the condition that one of these notifications was opened."""
        ...

    def received(self, *, since: datetime, app_id: int) -> Query:
        """Give the condition that a provider accepted a push at this moment or later."""
        ...


def compile_rule(rule: Rule, *, app_id: int, now: datetime, pushes: Pushes) -> Query:
    """Give SQL for the (user_id, install_id) pairs of an app that a rule is true of, each once.

    What a rule says of people and of installs holds for the same pair. `install_id` is NULL for
    a user without installs.
    """
    condition, params = _Compiler(app_id, now, pushes).node(rule.where)
    return PEOPLE + condition, [app_id, *params]


class _Compiler:
    def __init__(self, app_id: int, now: datetime, pushes: Pushes) -> None:
        self._app_id = app_id
        self._now = now
        self._pushes = pushes

    def node(self, node: Node) -> Query:
        match node:
            case All(nodes):
                return joined(" AND ", [self.node(inner) for inner in nodes])
            case AnyOf(nodes):
                return joined(" OR ", [self.node(inner) for inner in nodes])
            case Not(inner):
                # nothing is true of an absent value, and so every opposite is
                sql, params = self.node(inner)
                return f"(({sql}) IS NOT TRUE)", params
            case Leaf():
                return self._leaf(node)

    def _leaf(self, leaf: Leaf) -> Query:
        if leaf.field is Field.OPENED:
            return self._pushes.opened(listed(leaf), app_id=self._app_id)
        if leaf.field is Field.RECEIVED:
            return self._pushes.received(since=self._ago(leaf.value), app_id=self._app_id)
        if leaf.field is Field.CHANNEL:
            return self._channel(leaf)
        if leaf.field in {Field.OS_VERSION, Field.APP_VERSION}:
            return _version(leaf.field, leaf, self._app_id)
        if leaf.op is Op.WITHIN_DAYS:
            leaf = replace(leaf, op=Op.BETWEEN, value=(self._ago(leaf.value), self._now))
        return CONDITIONS[leaf.field](leaf)

    def _channel(self, leaf: Leaf) -> Query:
        by_install, by_user = (SUBSCRIBED.format(owner=owner) for owner in ("install", "user"))
        which: Query = "", [self._app_id]
        if leaf.op is not Op.EXISTS:
            ids = [one for one in listed(leaf) if isinstance(one, int)]
            uuids = [one for one in listed(leaf) if isinstance(one, str)]
            which = (
                " AND (c.id = ANY(%s::int[]) OR c.uuid = ANY(%s::text[]))",
                [self._app_id, ids, uuids],
            )
        sql, params = which
        return f"(i.id IN ({by_install}{sql}) OR u.id IN ({by_user}{sql}))", params * 2

    def _ago(self, days: int) -> datetime:
        return self._now - timedelta(days=days)


def _tag(leaf: Leaf) -> Query:
    if leaf.op is Op.EXISTS:
        return "cardinality(u.tags) > 0", []
    return "u.tags && %s::text[]", [listed(leaf)]


def _text(column: str) -> Callable[[Leaf], Query]:
    """Compare a column in which '' stands for nothing; no value of a rule is empty."""

    def condition(leaf: Leaf) -> Query:
        match leaf.op:
            case Op.STARTS_WITH:
                return f"starts_with({column}, %s)", [leaf.value]
            case Op.CONTAINS:
                return f"strpos({column}, %s) > 0", [leaf.value]
            case Op.EXISTS:
                return f"{column} <> ''", []
            case _:
                return f"{column} = ANY(%s::text[])", [listed(leaf)]

    return condition


def _version(column: str, leaf: Leaf, app_id: int) -> Query:
    """Compare what versions there are, a few hundred, and not every install's again."""
    numbers, bound = VERSION.format("version"), VERSION.format("%s::text")
    if leaf.op in {Op.STARTS_WITH, Op.EXISTS}:
        return _text(f"i.{column}")(leaf)
    if leaf.op in {Op.EQUALS, Op.IN}:
        compared, params = f"{numbers} IN ({', '.join([bound] * len(listed(leaf)))})", listed(leaf)
    else:
        compared, params = ordered(numbers, leaf.op, bound), bounds(leaf)
    versions = VERSIONS.format(column=column)
    return f"i.{column} IN ({versions} WHERE {compared})", [app_id, *params]


def _moment(column: str) -> Callable[[Leaf], Query]:
    def condition(leaf: Leaf) -> Query:
        if leaf.op is Op.EXISTS:
            return f"{column} IS NOT NULL", []
        return ordered(column, leaf.op), bounds(leaf)

    return condition


CONDITIONS: dict[Field, Callable[[Leaf], Query]] = {
    Field.ATTRIBUTE: attributes.condition,
    Field.TAG: _tag,
    Field.USER: _text("u.uid"),
    Field.CREATED: _moment("u.created_at"),
    Field.LAST_ACTIVE: _moment("u.last_active_at"),
    Field.PLATFORM: _text(PLATFORM),
    Field.LOCALE: _text("i.locale"),
    Field.COUNTRY: _text("i.country"),
    Field.TIMEZONE: _text("i.timezone"),
}
