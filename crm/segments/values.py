"""What may stand beside an operator: readers that give the value, or say why it will not do."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from crm.segments.moments import SHAPE

Reader = Callable[[Any], Any]

INT4 = 2**31 - 1
LARGEST = 2**64  # what a body may hold, gateway/rest/body.py
LONGEST_TEXT = 1000
LONGEST_LIST = 1000
LONGEST_AGO = 36500  # days
DEEPEST = 16

PLATFORMS = ("ios", "android", "web", "macos", "windows")

VERSION = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20}){0,9}")
MOMENT = re.compile(SHAPE)


class Unfit(ValueError):
    """A value that does not suit its operator; the text is the reason."""


def anything(value: Any) -> Any:
    """Give any JSON value a database can hold."""
    _check_storable(value, level=1)
    return value


def scalar(value: Any) -> Any:
    """Give a text, a number, a boolean or null."""
    if isinstance(value, dict | list):
        raise Unfit("Must be a text, a number, true, false or null.")
    return anything(value)


def ordered(value: Any) -> Any:
    """Give what has a greater and a less: a number or a text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unfit("Must be a number or a text.")
    return anything(value)


def text(value: Any) -> str:
    """Give a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise Unfit("Must be a text that is not empty.")
    _check_text(value)
    return value


def version(value: Any) -> str:
    """Give numbers with dots between them."""
    if not isinstance(value, str) or not VERSION.fullmatch(value):
        raise Unfit("Must be a version in quotes, like 10.2.")
    return value


def moment(value: Any) -> datetime:
    """Give a moment; a bare date is its midnight, and without a zone it is UTC."""
    try:
        if not isinstance(value, str) or not MOMENT.fullmatch(value):
            raise ValueError  # noqa: TRY301 - one refusal for shape and calendar
        found = datetime.fromisoformat(value)
    except ValueError:
        raise Unfit(
            "Must be a date like 2021-08-31 or a moment like 2021-08-31T13:55:58Z."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def days(value: Any) -> int:
    """Give a number of days, at least one."""
    return _whole(value, at_most=LONGEST_AGO)


def number(value: Any) -> int:
    """Give the id of a row."""
    return _whole(value, at_most=INT4)


def channel(value: Any) -> Any:
    """Give the id or the uuid of a channel."""
    return text(value) if isinstance(value, str) else number(value)


def platform(value: Any) -> str:
    """Give one of the platforms there are."""
    if value not in PLATFORMS:
        raise Unfit(f"Must be one of {', '.join(PLATFORMS)}.")
    return str(value)


def country(value: Any) -> str:
    """Give two letters, in capitals."""
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z]{2}", value):
        raise Unfit("Must be a country's two letters, like GB.")
    return value.upper()


def several(reader: Reader) -> Reader:
    """Build the reader of a list of such values."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= LONGEST_LIST:
            raise Unfit(f"Must be a list of 1 to {LONGEST_LIST} values.")
        return tuple(map(reader, value))

    return read


def pair(reader: Reader) -> Reader:
    """Build the reader of the two ends of a range, both within it."""

    def read(value: Any) -> tuple[Any, Any]:
        if not isinstance(value, list) or len(value) != 2:
            raise Unfit("Must be a list of two values, the lower one first.")
        low, high = map(reader, value)
        if isinstance(low, str) != isinstance(high, str):
            raise Unfit("Both values must be of one kind.")
        return low, high

    return read


def nothing(value: Any) -> None:
    """Give nothing, where an operator needs no value."""
    if value is not None:
        raise Unfit("Is not wanted here.")


def _whole(value: Any, *, at_most: int) -> int:
    if type(value) is not int or not 1 <= value <= at_most:
        raise Unfit(f"Must be a whole number from 1 to {at_most}.")
    return value


def _check_storable(value: Any, *, level: int) -> None:
    if level > DEEPEST:
        raise Unfit(f"Is nested more than {DEEPEST} levels deep.")
    match value:
        case str():
            _check_text(value)
        case int() | float():
            _check_number(value)
        case dict() | list():
            if len(value) > LONGEST_LIST:
                raise Unfit(f"At most {LONGEST_LIST} members are allowed.")
            for inner in [*value, *value.values()] if isinstance(value, dict) else value:
                _check_storable(inner, level=level + 1)


def _check_text(value: str) -> None:
    if len(value) > LONGEST_TEXT:
        raise Unfit(f"At most {LONGEST_TEXT} characters are allowed.")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Unfit("Null and half characters are not allowed.")


def _check_number(value: float) -> None:
    if abs(value) >= LARGEST if isinstance(value, int) else not math.isfinite(value):
        raise Unfit("The number is too large.")
