"""Readers that never fail: devices send what they send, and no event is lost for it."""

import math
from collections.abc import Mapping
from typing import Any

# Postgres indexes these texts, and an index row ends near 2700 bytes
LONGEST_KEY = 2048


def text(value: Any, *, at_most: int) -> str:
    """Give a short text: numbers are spelled out, long texts cut, anything else is ''."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)[:at_most]


def key(value: Any, *, at_most: int = LONGEST_KEY) -> str | None:
    """Give a name something is found by; None for one too long to be kept whole, or empty."""
    if isinstance(value, str) and 0 < len(value.encode()) <= at_most:
        return value
    return None


def members(value: Any, name: str) -> Mapping[str, Any]:
    """Give an object's member that is itself an object; an empty one where it is not."""
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def code(value: Any) -> int | None:
    """Give a small number; old builds send its digits in quotes."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    return value if type(value) is int else None


def degrees(value: Any, *, at_most: float) -> float | None:
    """Give an angle between -`at_most` and `at_most`; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    angle = float(value)
    return angle if math.isfinite(angle) and abs(angle) <= at_most else None
