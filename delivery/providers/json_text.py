"""JSON as it goes over the wire: compact UTF-8."""

import json
from typing import Any

import orjson


def dump(value: Any) -> bytes:
    """Give the shortest JSON text of a decoded JSON value.

    Numbers wider than 64 bits and lone surrogates are legal JSON that orjson does not write.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def load_object(text: bytes) -> dict[str, Any]:
    """Give a JSON object, or an empty one for whatever else a server or proxy may have said."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
