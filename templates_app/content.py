"""What an in-app template may hold, and how its `{{tags}}` are filled in; pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# From here on floats are spelled with an exponent, and Postgres would give back an integer. Longer
# integers than 64 bits are such floats by the time they are read.
TOO_HIGH = 10**16

# `{{ }}` names nothing, so it is text like any other
TAG = re.compile(r"\{\{(?!\s*\}\})([^{}]+)\}\}")


def find_tags(content: Any) -> list[str]:
    """Give the names between `{{` and `}}` in any string value, each once, in document order.

    Spaces around a name are not part of it; keys of objects are not looked at.
    """
    texts = (leaf for leaf in _leaves(content) if isinstance(leaf, str))
    return list(dict.fromkeys(_name(tag) for text in texts for tag in TAG.finditer(text)))


def objection(content: Any) -> str | None:
    """Say why content would not come back equal; None where it would."""
    if any(isinstance(one, float) and abs(one) >= TOO_HIGH for one in _leaves(content)):
        return "Numbers of 10^16 and above must be integers of at most 64 bits."
    return None


def fill(content: Any, values: Mapping[str, Any]) -> Any:
    """Give the content with every tag replaced by its value; an unknown tag becomes ''.

    A string that is one tag and nothing else takes the value as it is, number or object. Values
    are not looked into: a tag inside one stays as it is.
    """
    if isinstance(content, str):
        return _fill_text(content, values)
    if isinstance(content, dict):
        return {key: fill(inner, values) for key, inner in content.items()}
    if isinstance(content, list):
        return [fill(inner, values) for inner in content]
    return content


def _fill_text(text: str, values: Mapping[str, Any]) -> Any:
    if only := TAG.fullmatch(text):
        return values.get(_name(only), "")
    return TAG.sub(lambda tag: _spell(values.get(_name(tag), "")), text)


def _spell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _name(tag: re.Match[str]) -> str:
    return tag[1].strip()


def _leaves(content: Any) -> Iterator[Any]:
    if isinstance(content, dict | list):
        for inner in content.values() if isinstance(content, dict) else content:
            yield from _leaves(inner)
    else:
        yield content
