"""What Postgres can keep of a JSON value: no NUL characters, no bottomless nesting."""

from typing import Any

DEEPEST = 64
"""Levels of nesting; deeper values serve nobody and exhaust stacks on the way."""


def objection(value: Any) -> str | None:
    """Say why a decoded JSON value cannot be stored; None where it can."""
    nulls, level = False, [value]
    for _ in range(DEEPEST + 1):
        nulls = nulls or any(type(item) is str and "\0" in item for item in level)
        level = [inner for item in level for inner in _members(item)]
        if not level:
            return "Null characters are not allowed." if nulls else None
    return f"Nested more than {DEEPEST} levels deep."


def cleaned(value: Any) -> Any:
    """Give the value without its NUL characters; None where it is nested too deep."""
    reason = objection(value)
    if reason is None:
        return value
    return None if reason.startswith("Nested") else _without_nulls(value)


def _members(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    return item if isinstance(item, list) else []


def _without_nulls(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {_without_nulls(key): _without_nulls(item) for key, item in value.items()}
    return value
