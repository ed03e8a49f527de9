"""Proto-JSON shapes: what a field may hold, and what Google says when it holds something else."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Complaints = list[tuple[str, str]]
Check = Callable[[str, Any, Complaints], Any]

CAMEL = re.compile(r"([A-Z])")
DURATION = re.compile(r"\d+(\.\d{1,9})?s")


def snake(name: str) -> str:
    """Return a proto field name in its original spelling."""
    return CAMEL.sub(r"_\1", name).lower()


def text(path: str, value: Any, complaints: Complaints) -> Any:
    """Take a string."""
    if not isinstance(value, str):
        complaints.append((path, f"Invalid value at '{path}' (TYPE_STRING), {value!r}"))
    return value


def flag(path: str, value: Any, complaints: Complaints) -> Any:
    """Take a boolean."""
    if not isinstance(value, bool):
        complaints.append((path, f"Invalid value at '{path}' (TYPE_BOOL), {value!r}"))
    return value


def number(path: str, value: Any, complaints: Complaints) -> Any:
    """Take a number, also one written as a string, as proto JSON allows."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain and not (isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value)):
        complaints.append((path, f"Invalid value at '{path}' (TYPE_INT32), {value!r}"))
    return value


def duration(path: str, value: Any, complaints: Complaints) -> Any:
    """Take a duration such as `3.5s`."""
    if not isinstance(value, str) or not DURATION.fullmatch(value):
        complaints.append((path, f"Invalid value at '{path}' (type.googleapis.com/Duration)"))
    return value


def free(path: str, value: Any, complaints: Complaints) -> Any:
    """Take an object whose keys are nobody's business."""
    if not isinstance(value, dict):
        complaints.append((path, f"Invalid value at '{path}' (type.googleapis.com/Struct)"))
    return value


def string_map(path: str, value: Any, complaints: Complaints) -> Any:
    """Take an object of strings."""
    if not isinstance(value, dict):
        complaints.append((path, f"Invalid value at '{path}' (map), {value!r}"))
        return {}
    for key, item in value.items():
        text(f"{path}[{key}].value", item, complaints)
    return value


def one_of(*names: str) -> Check:
    """Take one of these enum names."""

    def check(path: str, value: Any, complaints: Complaints) -> Any:
        if value not in names:
            complaints.append((path, f"Invalid value at '{path}' (TYPE_ENUM), {value!r}"))
        return value

    return check


def many(check_item: Check) -> Check:
    """Take a list of these."""

    def check(path: str, value: Any, complaints: Complaints) -> Any:
        if not isinstance(value, list):
            complaints.append((path, f"Invalid value at '{path}' (list), {value!r}"))
            return []
        return [check_item(f"{path}[{i}]", item, complaints) for i, item in enumerate(value)]

    return check


def message(shape: Mapping[str, Check]) -> Check:
    """Take an object with these fields, in either spelling; return it in the original one."""

    def check(path: str, value: Any, complaints: Complaints) -> Any:
        if not isinstance(value, dict):
            complaints.append((path, f"Invalid value at '{path}' (message)"))
            return {}
        taken: dict[str, Any] = {}
        for key, item in value.items():
            name = snake(key)
            inner = f"{path}.{name}" if path else name
            if name not in shape:
                where = f" at '{path}'" if path else ""
                unknown = f'Unknown name "{key}"{where}: Cannot find field.'
                complaints.append((path, f"Invalid JSON payload received. {unknown}"))
            elif name in taken:
                complaints.append((inner, f"Field '{inner}' is given twice, in two spellings"))
            elif item is not None:
                taken[name] = shape[name](inner, item, complaints)
        return taken

    return check
