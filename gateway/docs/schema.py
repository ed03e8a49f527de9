"""What the OpenAPI document says beyond the views: no twins, and examples that are known to run.

The examples of `docs/examples` are replayed by the test suite, request and answer, against a whole
gateway. In them `{name}` stands for what an earlier step gave; here it is a sample.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from gateway.docs.library import FOLDER
from gateway.rest.idempotency import HEADER

MOST = 6
"""Examples shown of one operation, at most."""

SAMPLES: Mapping[str, Any] = {
    "zoned": "2026-01-31T12:00:00+0000",
    "offset": "2026-01-31T12:00:00+00:00",
    "bare": "2026-01-31 12:00:00",
    "stamp": "2026-01-31T12:00:00Z",
    "guest": "guest_login_0123456789ABCDEF0123456789ABCDEF",
    "token": "0123456789ABCDEF0123456789ABCDEF0123",
    "vapid": f"B{'A' * 86}",
    "uuid": "0191e7c4-6a5b-7d7e-8f00-0123456789ab",
    "bool": True,
    "now": 1_770_000_000,
}

Schema = dict[str, Any]


def without_twins(endpoints: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Give the routes the schema lists: of those that also exist with `.json`, the plain ones."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith(".json")]


def with_examples(result: Schema, **_: Any) -> Schema:
    """Put the examples into the operations they are of; drf-spectacular calls it at the end."""
    for name, source, step in _steps():
        operation = _operation(result, step["method"].lower(), step["path"])
        if operation is not None:
            _add_request(operation, name, source, step)
            _add_answer(operation, name, source, step)
    return result


@lru_cache(maxsize=1)
def _steps() -> tuple[tuple[str, str, Mapping[str, Any]], ...]:
    return tuple(_read())


def _read() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path in sorted(FOLDER.glob("examples/*/*.json")):
        example = json.loads(path.read_text(encoding="utf-8"))
        for step in example["steps"]:
            yield path.stem, example["source"], step


def _operation(schema: Schema, method: str, said: str) -> Schema | None:
    """Give the operation a step asks for: of those that fit, the one with the fewest blanks."""
    path = said.partition("?")[0].removesuffix(".json")
    fitting = [
        template
        for template, item in schema["paths"].items()
        if method in item
        and re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path)
    ]
    if not fitting:
        return None
    operation: Schema = schema["paths"][min(fitting, key=lambda one: one.count("{"))][method]
    return operation


def _add_request(operation: Schema, name: str, source: str, step: Mapping[str, Any]) -> None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None and isinstance(step.get("body"), dict | list) and step["status"] < 400:
        _add(content, name, source, step["body"])


def _add_answer(operation: Schema, name: str, source: str, step: Mapping[str, Any]) -> None:
    answer = operation.get("responses", {}).get(str(step["status"]), {})
    content = answer.get("content", {}).get("application/json")
    if content is not None and "answer" in step:
        _add(content, name, source, step["answer"])


def _add(content: Schema, name: str, source: str, value: Any) -> None:
    examples = content.setdefault("examples", {})
    if len(examples) < MOST:
        examples.setdefault(name, {"summary": source, "value": filled(value)})


def filled(value: Any) -> Any:
    """Give a value with samples in its blanks."""
    if isinstance(value, dict):
        return {key: filled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    if not isinstance(value, str):
        return value
    if blank := re.fullmatch(r"\{(\w+)\}", value):
        return SAMPLES.get(blank[1], 1)
    return re.sub(r"%\{(\w+)\}", lambda blank: str(SAMPLES.get(blank[1], 1)), value)


def with_limits(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Give the schema with the 429 of every call, and the 409 of those under an idempotency key."""
    for item in result["paths"].values():
        for said in item.values():
            said["responses"].setdefault("429", TOO_MANY)
            if any(one["name"] == HEADER for one in said.get("parameters", ())):
                said["responses"]["409"] = CONFLICT
    return result


def _later(why: str) -> dict[str, Any]:
    anything = {"schema": {"type": "object", "additionalProperties": {}}}
    return {
        "description": why,
        "headers": {"Retry-After": {"schema": {"type": "integer"}}},
        "content": {"application/json": anything},
    }


CONFLICT = _later("The first request with this idempotency key is still running.")
TOO_MANY = _later("Too many requests of this app, or too many wrong keys from this address.")
