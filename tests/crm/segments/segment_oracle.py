"""What a rule is true of, worked out a second time and in plain Python: no SQL, no parser."""

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

ABSENT = object()
TIME = re.compile(r"([T ])(\d\d):(\d\d)(?::(\d\d)(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def true_of(rule: dict[str, Any], person: dict[str, Any], *, now: datetime) -> bool:
    """Say whether a rule is true of a person on one install, `person["install"]`, or on none."""
    return _node(rule["where"], person, now)


def _node(node, person, now):  # noqa: C901, PLR0911 - one line a word of the language
    if "all" in node:
        return all(_node(inner, person, now) for inner in node["all"])
    if "any" in node:
        return any(_node(inner, person, now) for inner in node["any"])
    if "not" in node:
        return not _node(node["not"], person, now)
    op, value, field = node["op"], node.get("value"), node["field"]
    if op == "not":
        return not _node({**node, "op": "equals"}, person, now)
    if op == "within_days":
        return _dated(field, _found(node, person), "between", [now - timedelta(value), now])
    found = _found(node, person)
    if op in {"before", "after"} or (op == "between" and field in {"created", "last_active"}):
        ends = value if op == "between" else [value]
        return _dated(field, found, op, [_moment(end) for end in ends])
    if field in {"tag", "channel"}:
        wanted = value if op == "in" else [value]
        return bool(found) if op == "exists" else any(_same(f, w) for f in found for w in wanted)
    if found is ABSENT or (field != "attribute" and found in {"", None}):
        return False
    if field in {"os_version", "app_version"} and op not in {"starts_with", "exists"}:
        return _versions(found, op, value)
    if field == "country":
        value = json.loads(json.dumps(value).upper()) if value else value
    return _compared(found, op, value)


def _found(node: dict[str, Any], person: dict[str, Any]) -> Any:
    field, install = node["field"], person["install"]
    if field == "attribute":
        value = person["attributes"]
        for key in node["name"] if isinstance(node["name"], list) else [node["name"]]:
            if not isinstance(value, dict) or key not in value:
                return ABSENT
            value = value[key]
        return value
    if field == "platform":
        return _platform(install)
    places = {"tag": "tags", "channel": "channels", "user": "uid"}
    name = places.get(field, field)
    return person[name] if name in person else (install or {}).get(name, ABSENT)


def _platform(install: dict[str, Any] | None) -> Any:
    if install is None:
        return ABSENT
    if install["sdk_type"] in {"Web", "Optimove Web"}:
        return "web"
    return "windows" if install["os"] == "Windows Phone" else install["os"].lower()


def _compared(found, op, value):  # noqa: PLR0911 - one line an operator
    match op:
        case "exists":
            return True
        case "equals":
            return _same(found, value)
        case "in":
            return any(_same(found, one) for one in value)
        case "starts_with":
            return isinstance(found, str) and found.startswith(value)
        case "contains" if isinstance(found, list):
            return any(_same(member, value) for member in found)
        case "contains":
            return isinstance(found, str) and isinstance(value, str) and value in found
        case "between":
            return _sorted(found, value[0], value[1])
        case "greater":
            return _sorted(found, value, None) and not _same(found, value)
        case "less":
            return _sorted(found, None, value) and not _same(found, value)
    raise AssertionError(op)


def _sorted(found: Any, low: Any, high: Any) -> bool:
    ends = [low, high]
    if any(_kind(end) is not _kind(found) for end in ends if end is not None):
        return False
    if _kind(found) is Decimal:
        found, low, high = (None if x is None else Decimal(repr(x)) for x in (found, low, high))
    return (low is None or low <= found) and (high is None or found <= high)


def _kind(value: Any) -> type:
    return Decimal if type(value) in {int, float} else type(value)


def _same(one: Any, other: Any) -> bool:
    if _kind(one) is not _kind(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if _kind(one) is Decimal:
        return Decimal(repr(one)) == Decimal(repr(other))
    return bool(one == other)


def _versions(found: str, op: str, value: Any) -> bool:
    numbers = re.match(r"[0-9]+(\.[0-9]+)*", found)
    if numbers is None:
        return False
    ends = [_numbers(end) for end in (value if isinstance(value, list) else [value])]
    mine = _numbers(numbers[0])
    match op:
        case "equals" | "in":
            return mine in ends
        case "greater":
            return mine > ends[0]
        case "less":
            return mine < ends[0]
    return ends[0] <= mine <= ends[1]


def _numbers(version: str) -> list[int]:
    numbers = [int(part) for part in version.split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return numbers


def _dated(field: str, found: Any, op: str, ends: list[datetime]) -> bool:
    moment = _moment(found) if field == "attribute" else found
    if moment in {None, ABSENT}:
        return False
    if op == "before":
        return moment < ends[0]
    return moment > ends[0] if op == "after" else ends[0] <= moment <= ends[1]


def _moment(text: Any) -> datetime | None:
    """Read an ISO 8601 day or moment; None for anything else."""
    if not isinstance(text, str) or not re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return None
    time = TIME.fullmatch(text[10:]) if text[10:] else None
    if text[10:] and time is None:
        return None
    hour, minute, second, fraction, zone = time.groups()[1:] if time else (0, 0, 0, None, None)
    try:
        day = date(int(text[:4]), int(text[5:7]), int(text[8:10]))
        micro = int((fraction or ".0")[1:].ljust(6, "0"))
        found = datetime(
            day.year, day.month, day.day, int(hour), int(minute), int(second or 0), micro, UTC
        )
    except ValueError:
        return None
    if zone in {None, "Z"}:
        return found
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 14 or minutes > 59:
        return None
    away = timedelta(hours=hours, minutes=minutes)
    # compared by its own offset, so that the first and the last year need no neighbours
    return found.replace(tzinfo=timezone(away if zone[0] == "+" else -away))
