"""Documented examples, request and answer, as data; replayed in process and over HTTP.

An example is a list of steps. `{name}` in a request, or `%{name}` within a text of it, is what an
earlier step saved under `name`, escaped in the second case; `{now}` is the second it all began in.
A body that is text is sent as a form. In an answer `{int}` is a positive integer, `{count}` and
`{bool}` are what a worker may have changed by now, and the names of `SHAPES` stand for texts of
that shape.
"""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"

MOMENT = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}"
SHAPES = {
    "{zoned}": re.compile(MOMENT + r"\+0000"),
    "{offset}": re.compile(MOMENT + r"\+00:00"),
    "{bare}": re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}"),
    "{stamp}": re.compile(MOMENT + "Z"),
    "{guest}": re.compile(r"guest_login_[0-9A-F]{32}"),
    "{token}": re.compile(r"[0-9A-F]{36}"),
    "{vapid}": re.compile(r"B[A-Za-z0-9_-]{86}"),
    "{uuid}": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}

SORTS = {"{count}": int, "{bool}": bool}
"""What a worker may have changed by now."""

Ask = Callable[[str, str, str, Any], tuple[int, bytes]]
"""Who asks, method, path and body; gives status and body of the answer."""


def examples(dialect: str) -> list[Path]:
    """Give every example of a dialect."""
    return sorted((EXAMPLES / dialect).glob("*.json"))


def steps(path: Path) -> list[dict[str, Any]]:
    """Give the steps of an example."""
    return json.loads(path.read_text())["steps"]


def replay(path: Path, ask: Ask, known: dict[str, Any]) -> dict[str, Any]:
    """Take every step, compare every answer, and give all that was saved on the way."""
    known = {"now": int(time.time()), **known}
    for number, step in enumerate(steps(path)):
        where = filled(step["path"], known).format(**known)
        body = filled(step.get("body"), known)
        status, content = ask(step["as"], step["method"], where, body)
        at = f"step {number}: {step['method']} {where}"
        assert status == step["status"], f"{at}: {status} {content!r}"
        if "answer" in step:
            answer = json.loads(content)
            check(filled(step["answer"], known), answer, at)
            known |= {name: taken(answer, key) for name, key in step.get("save", {}).items()}
        else:
            assert content == b"", at
    return known


def taken(answer: Any, path: str) -> Any:
    """Give what stands at `0.event.id`, or at one key."""
    for key in path.split("."):
        answer = answer[int(key)] if isinstance(answer, list) else answer[key]
    return answer


def filled(value: Any, known: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, known) for item in value]
    if isinstance(value, str) and value[1:-1] in known and value == f"{{{value[1:-1]}}}":
        return known[value[1:-1]]
    if isinstance(value, str) and "%{" in value:  # within a path or a form
        return re.sub(r"%\{(\w+)\}", lambda found: quote(str(known[found[1]]), safe=""), value)
    return value


def check(expected: Any, found: Any, at: str) -> None:
    if isinstance(expected, dict):
        assert isinstance(found, dict), at
        assert list(found) == list(expected), f"keys and their order at {at}"
        for key in expected:
            check(expected[key], found[key], f"{at}.{key}")
    elif isinstance(expected, list):
        assert isinstance(found, list), at
        assert len(found) == len(expected), at
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            check(one, other, f"{at}[{number}]")
    elif expected in SORTS:
        assert type(found) is SORTS[expected], f"{at}: {found!r}"
    elif expected == "{int}":
        assert type(found) is int, f"{at}: {found!r}"
        assert found > 0, f"{at}: {found!r}"
    elif isinstance(expected, str) and expected in SHAPES:
        assert SHAPES[expected].fullmatch(found), f"{at}: {found!r}"
    else:
        same = (type(found), found) == (type(expected), expected)
        assert same, f"{at}: {found!r}, not {expected!r}"
