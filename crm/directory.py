"""People of an app as others look them up: one by name, or all of whom something is true.

Anonymous users are nobody here: they stand in for installs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.fields.json import KT

from crm.errors import NotFound
from crm.models import App, User

INT4 = 2**31 - 1
INT8 = 2**63 - 1


class Operator(StrEnum):
    """How a field is compared; a list of tags is compared tag by tag."""

    IN = "in"  # is one of the values
    NOT_IN = "nin"  # is none of them, or nothing at all
    STARTS_WITH = "start_with"  # in any case
    AFTER = "gt"
    BEFORE = "lt"
    FROM = "gte"
    UNTIL = "lte"


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """What must be true of one field; moments are compared by the second, as they are shown."""

    field: str
    operator: Operator
    values: Sequence[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """By which field a list goes; people alike go by id."""

    field: str
    descending: bool = False


SECOND = timedelta(seconds=1)

PROFILE = ("phone", "facebook_id", "twitter_id")
TEXTS = ("login", "email", "full_name", "external_id", *PROFILE)
NUMBERS = ("id", "external_user_id")
MOMENTS = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "last_request_at": "last_active_at",
}
TAGS = "user_tags"
SORTABLE = (*NUMBERS, *TEXTS, *MOMENTS)


def people(app: App) -> QuerySet[User]:
    """Give everybody there is to be found."""
    return User.objects.filter(app=app, anonymous=False)


def find_by_id(*, app: App, number: int) -> User:
    """Give the one with this id; raises `NotFound`."""
    return _only(people(app).filter(pk=number) if number <= INT4 else User.objects.none())


def find_by_login(*, app: App, login: str) -> User:
    """Give the one with exactly this login; raises `NotFound`."""
    return _only(people(app).filter(_is("login", login)))


def find_by_email(*, app: App, email: str) -> User:
    """Give the one with exactly this address; raises `NotFound`."""
    return _only(people(app).filter(_is("email", email)))


def find_by_external_id(*, app: App, name: str) -> User:
    """Give the one whose `external_user_id` this is, else whose external id; raises `NotFound`.

    A name made up here is nobody's external id.
    """
    number = int(name) if name.isascii() and name.isdigit() and len(name) <= 19 else None
    numbered = people(app).filter(_is("external_user_id", number)).first()
    return numbered or _only(people(app).filter(_is("external_id", name)))


def tagged(app: App, tags: Sequence[str]) -> QuerySet[User]:
    """Give those who have any of the tags, by id."""
    return search(app, [Condition(field=TAGS, operator=Operator.IN, values=tags)])


def called(app: App, full_name: str) -> QuerySet[User]:
    """Give those whose full name contains this text, in any case, by id."""
    if "\0" in full_name:
        return User.objects.none()
    return search(app).filter(full_name__icontains=full_name)


def search(
    app: App, conditions: Sequence[Condition] = (), order: Order | None = None
) -> QuerySet[User]:
    """Give those of whom every condition is true; by id unless `order` says otherwise."""
    found = people(app).alias(**{name: KT(f"profile__{name}") for name in PROFILE})
    for condition in conditions:
        found = found.filter(_where(condition))
    return _ordered(found, order or Order(field="id"))


def _ordered(found: QuerySet[User], order: Order) -> QuerySet[User]:
    # a name made up here is shown to nobody, in the order of a list neither
    shown = Case(When(uid_is_ours=False, then="uid"))
    by = shown if order.field == "external_id" else F(MOMENTS.get(order.field, order.field))
    return found.order_by(by.desc() if order.descending else by.asc(), "id")


def _where(condition: Condition) -> Q:
    name, values = condition.field, [value for value in condition.values if _can_be(value)]
    match condition.operator:
        case Operator.IN:
            return _one_of(name, values)
        case Operator.NOT_IN:
            return ~_one_of(name, values)
        case Operator.STARTS_WITH:
            return _begins(name, values)
    return _compared(MOMENTS[name], condition.operator, values[0])


def _is(name: str, value: Any) -> Q:
    return _one_of(name, [value] if _can_be(value) else [])


def _one_of(name: str, values: Sequence[Any]) -> Q:
    if name == TAGS:
        return Q(tags__overlap=values)
    if name in MOMENTS:
        return _at_any(MOMENTS[name], values)
    if name == "external_id":
        return Q(uid__in=values, uid_is_ours=False)
    # said outright, because "is not one of" must be true of those who have nothing
    return Q(**{f"{name}__in": values, f"{name}__isnull": False})


def _begins(name: str, values: Sequence[str]) -> Q:
    column = "uid" if name == "external_id" else name
    begins = Q(pk__in=[])
    for value in values:
        begins |= Q(**{f"{column}__istartswith": value})
    return begins & Q(uid_is_ours=False) if name == "external_id" else begins


def _at_any(column: str, moments: Sequence[datetime]) -> Q:
    at_any = Q(pk__in=[])
    for moment in moments:
        at_any |= _compared(column, Operator.FROM, moment) & _compared(
            column, Operator.UNTIL, moment
        )
    return at_any & Q(**{f"{column}__isnull": False})


def _compared(column: str, operator: Operator, moment: datetime) -> Q:
    second = moment.replace(microsecond=0)
    match operator:
        case Operator.AFTER:
            return Q(**{f"{column}__gte": second + SECOND})
        case Operator.UNTIL:
            return Q(**{f"{column}__lt": second + SECOND})
        case Operator.FROM:
            return Q(**{f"{column}__gte": second})
    return Q(**{f"{column}__lt": second})


def _can_be(value: Any) -> bool:
    # what the database can be asked about
    if isinstance(value, int):
        return value <= INT8
    return value is not None and not (isinstance(value, str) and "\0" in value)


def _only(found: QuerySet[User]) -> User:
    user = found.first()
    if user is None:
        raise NotFound("No such user.")
    return user
