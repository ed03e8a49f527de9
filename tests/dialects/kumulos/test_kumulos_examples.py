"""Every documented example, request and answer, replayed from `examples/`.

An example is a list of steps. `{name}` in a request is what an earlier step saved under `name`;
in an answer `{int}`, `{zoned}` and `{bare}` stand for an integer and two spellings of a moment.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.json"))
SHAPES = {
    "{zoned}": re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+0000"),
    "{bare}": re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}"),
}


def filled(value: Any, known: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, known) for item in value]
    if isinstance(value, str) and value[1:-1] in known and value == f"{{{value[1:-1]}}}":
        return known[value[1:-1]]
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
    elif expected == "{int}":
        assert type(found) is int, at
        assert found > 0, at
    elif expected in SHAPES:
        assert SHAPES[expected].fullmatch(found), at
    else:
        assert (type(found), found) == (type(expected), expected), at


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_documented_example_is_answered_as_documented(path, backend, device, app):
    known: dict[str, Any] = {"app": app.pk}
    for number, step in enumerate(json.loads(path.read_text())["steps"]):
        caller = {"backend": backend, "device": device}[step["as"]]
        where = step["path"].format(**known)
        answer = caller.ask(step["method"], where, filled(step.get("body"), known))
        at = f"step {number}: {step['method']} {where}"
        assert answer.status_code == step["status"], f"{at}: {answer.content!r}"
        if "answer" in step:
            check(filled(step["answer"], known), answer.json(), at)
        else:
            assert answer.content == b"", at
        known |= {name: answer.json()[key] for name, key in step.get("save", {}).items()}


def test_there_are_examples_of_every_route_in_scope():
    asked = {
        step["path"].split("/")[-1]
        for path in EXAMPLES
        for step in json.loads(path.read_text())["steps"]
    }
    assert asked == {"notifications", "install-opens", "user-opens", "events"}
