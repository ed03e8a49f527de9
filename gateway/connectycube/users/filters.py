"""Query strings → whom a list is about, in the words of either version of the API (§5)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import MAXYEAR, UTC, datetime
from typing import Any, NamedTuple

from rest_framework.exceptions import ValidationError

from crm.directory import MOMENTS, NUMBERS, SORTABLE, TAGS, TEXTS, Condition, Operator, Order
from gateway.connectycube.errors import INVALID

MOST_VALUES = 1000
TOO_MANY = f"is too long (maximum is {MOST_VALUES} items)"
LIMIT = 100
FURTHEST = 2**31 - 1
DIGITS = re.compile(r"-?[0-9]{1,18}")
COMPARED = (Operator.AFTER, Operator.BEFORE, Operator.FROM, Operator.UNTIL)

OLD_FIELDS = ("id", "login", "email", "external_user_id")
OLD_OPERATORS = ("eq", "in")
OLD_ORDERS = (*OLD_FIELDS, "full_name", "created_at")

Params = Mapping[str, Any]


class Search(NamedTuple):
    """Whom a list is about, in which order, and which slice of it is wanted."""

    conditions: list[Condition]
    order: Order | None
    limit: int = LIMIT
    offset: int = 0

    @property
    def rows(self) -> slice:
        """The rows it shows of an ordered query."""
        return slice(self.offset, self.offset + self.limit)


def read_search(params: Params) -> Search:
    """Give what the second version of the list asks for; unknown fields are ignored."""
    reasons: dict[str, list[str]] = {}
    conditions = list(_conditions(params, reasons))
    limit = _whole(params, "limit", reasons, default=LIMIT, least=1, most=LIMIT)
    offset = _whole(params, "offset", reasons, default=0, least=0, most=FURTHEST)
    if reasons:
        raise ValidationError(reasons)
    return Search(conditions, _order(params), limit, offset)


def read_old_search(params: Params) -> Search:
    """Give what the first version asks for: `filter[]=number id in 1,2`, `order=asc string login`.

    What it does not know is ignored: some clients send more than any server understands. Raises
    where one filter names too many.
    """
    said = params.get("filter")
    filters = list(said.values()) if isinstance(said, Mapping) else said
    texts = filters if isinstance(filters, list) else []
    found = (_old_condition(text) for text in texts if isinstance(text, str))
    return Search([one for one in found if one is not None], _old_order(params.get("order")))


def _conditions(params: Params, reasons: dict[str, list[str]]) -> Iterator[Condition]:
    for field in (*NUMBERS, *TEXTS, TAGS, *MOMENTS):
        asked = params.get(field)
        if asked is None:
            continue
        for word, said in (asked if isinstance(asked, Mapping) else {"in": asked}).items():
            try:
                yield _condition(field, word, said if isinstance(said, list) else [said])
            except ValueError as error:
                reasons[field] = [str(error)]


def _condition(field: str, word: str, said: Sequence[Any]) -> Condition:
    """Give one condition; raises `ValueError` with the reason."""
    if len(said) > MOST_VALUES:
        raise ValueError(TOO_MANY)
    operator, values = _operator(field, word), [_value(field, value) for value in said]
    if operator is None or not values or None in values:
        raise ValueError(INVALID)
    return Condition(field=field, operator=operator, values=values)


def _operator(field: str, word: str) -> Operator | None:
    if word not in set(Operator):
        return Operator.IN if word == "eq" else None
    operator = Operator(word)
    if operator in COMPARED and field not in MOMENTS:
        return None
    if operator is Operator.STARTS_WITH and field not in TEXTS:
        return None
    return operator


def _value(field: str, said: Any) -> Any:
    """Give a value as its field has them, None where it is none."""
    if not isinstance(said, str):
        return None
    if field in NUMBERS:
        return int(said) if DIGITS.fullmatch(said) else None
    return _moment(said) if field in MOMENTS else said


def _moment(said: str) -> datetime | None:
    """Give a moment in ISO 8601 or in seconds since the epoch; without a zone it is UTC."""
    try:
        moment = _spelled(said)
    except (ValueError, OverflowError, OSError):
        return None
    # there is no second after the last of that year, and comparing asks for it
    return moment if moment.year < MAXYEAR else None


def _spelled(said: str) -> datetime:
    if DIGITS.fullmatch(said):
        return datetime.fromtimestamp(int(said), UTC)
    moment = datetime.fromisoformat(said)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _order(params: Params) -> Order | None:
    for key, descending in (("sort_asc", False), ("sort_desc", True)):
        if (field := params.get(key)) in SORTABLE:
            return Order(field=field, descending=descending)
    return None


def _old_condition(text: str) -> Condition | None:
    """Give one condition, None where it is not understood; raises where it names too many."""
    words = text.split(maxsplit=3)
    if len(words) < 3 or words[1] not in OLD_FIELDS or words[2] not in OLD_OPERATORS:
        return None
    field, operator = words[1], words[2]
    # a list of nobody is no list of everybody
    said = words[3] if len(words) > 3 else ""
    values = said.split(",") if operator == "in" else [said]
    if len(values) > MOST_VALUES:
        raise ValidationError({field: [TOO_MANY]})
    read = [_value(field, one.strip()) for one in values if one.strip()]
    wanted = [value for value in read if value is not None]
    return Condition(field=field, operator=Operator.IN, values=wanted)


def _old_order(said: Any) -> Order | None:
    words = said.split() if isinstance(said, str) else []
    if len(words) != 3 or words[2] not in OLD_ORDERS:
        return None
    return Order(field=words[2], descending=words[0].lower() == "desc")


def _whole(
    params: Params,
    key: str,
    reasons: dict[str, list[str]],
    *,
    default: int,
    least: int,
    most: int,
) -> int:
    said = params.get(key)
    if said is None or said == "":
        return default
    if not (isinstance(said, str) and DIGITS.fullmatch(said)):
        reasons[key] = [INVALID]
        return default
    return min(max(int(said), least), most)
