"""Decoded JSON whose numbers remember how they were written, as FCM's strings repeat it."""

import json
import sys
from collections.abc import Iterator
from typing import Any

from gateway.rest.storable import objection

LONGEST_NUMBER = 400
"""Characters; the largest number a device can hold has 309 digits."""

FIRST_EXPONENT = 1e16


class Unfit(ValueError):
    """JSON by its form, but not what a database keeps or a device reads; the text says why."""


class Whole(int):
    """An integer and its spelling."""

    written: str


class Real(float):
    """A fraction and its spelling."""

    written: str


def read(text: str) -> Any:
    """Decode JSON; raises Unfit, or another ValueError where the text is no JSON at all."""
    try:
        value = json.loads(
            text.removeprefix("\ufeff"),
            parse_int=_whole,
            parse_float=_real,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise Unfit("nested too deeply") from None
    check(value)
    return value


def check(value: Any) -> None:
    """Raise Unfit where a decoded value cannot be stored, or sent as it is."""
    if (reason := objection(value)) is not None:
        raise Unfit(reason[0].lower() + reason[1:].rstrip("."))
    for leaf in _leaves(value):
        if isinstance(leaf, str):
            _check_text(leaf)
        elif isinstance(leaf, int | float) and not abs(leaf) <= sys.float_info.max:
            raise Unfit("a number is too large")


def plain(value: Any) -> Any:
    """Give the value without the spellings of its numbers.

    A fraction with a large exponent becomes an integer: as one it comes back from the database, so
    that its size is the same before and after.
    """
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, bool):
        return value
    if isinstance(value, int) or (isinstance(value, float) and abs(value) >= FIRST_EXPONENT):
        return int(value)
    return float(value) if isinstance(value, float) else value


def spelled(value: Any) -> str:
    """Give a value as text: a string as it is, all else as compact JSON, numbers as written."""
    return value if isinstance(value, str) else _compact(value)


def _compact(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{_compact(key)}:{_compact(inner)}" for key, inner in value.items())
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_compact, value))}]"
    if isinstance(value, Whole | Real):
        return value.written
    return json.dumps(value, ensure_ascii=False)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit("half characters are not allowed") from None


def _whole(text: str) -> Whole:
    number = Whole(_bounded(text))
    number.written = text
    return number


def _real(text: str) -> Real:
    number = Real(_bounded(text))
    number.written = text
    return number


def _bounded(text: str) -> str:
    # longer ones take the square of their length to read
    if len(text) > LONGEST_NUMBER:
        raise Unfit("a number is too long")
    return text


def _no_constant(name: str) -> None:
    raise Unfit(f"{name} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unfit("a key is there twice")
    return found
