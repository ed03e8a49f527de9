"""What Postgres can keep of a JSON value: no NUL characters, no bottomless nesting."""

from typing import Any

from delivery.providers import json_text

DEEPEST = 64
"""Levels of nesting; deeper values serve nobody and exhaust stacks on the way."""

NESTING = frozenset({dict, list})
NULL = rb"\u0000"


def objection(value: Any) -> str | None:
    """Say why a decoded JSON value cannot be stored; None where it can."""
    if nested_deeper(value, DEEPEST):
        return f"Nested more than {DEEPEST} levels deep."
    return "Null characters are not allowed." if _holds_null(value) else None


def nested_deeper(value: Any, levels: int) -> bool:
    """Say whether arrays and objects hold one another on more than so many levels."""
    level = [value] if type(value) in NESTING else []
    for _ in range(levels):
        level = [
            inner
            for item in level
            for inner in (item.values() if type(item) is dict else item)
            if type(inner) in NESTING
        ]
        if not level:
            return False
    return True


def cleaned(value: Any) -> Any:
    """Give the value without its NUL characters; None where it is nested too deep."""
    if nested_deeper(value, DEEPEST):
        return None
    return _without_nulls(value) if _holds_null(value) else value


def _holds_null(value: Any) -> bool:
    # written down it is read through a hundred times faster than item by item; a backslash of
    # somebody's own may stand before these letters, too
    return NULL in json_text.dump(value) and value != _without_nulls(value)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {_without_nulls(key): _without_nulls(item) for key, item in value.items()}
    return value
