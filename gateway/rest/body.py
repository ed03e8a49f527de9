"""Request bodies: bytes in, JSON out, or a refusal; the declared Content-Type is not asked."""

import io
import json
import math
from typing import Any, NoReturn, Protocol

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError
from rest_framework.exceptions import ParseError, ValidationError

from gateway.rest.storable import nested_deeper

LOWEST, HIGHEST = -(1 << 63), (1 << 64) - 1  # the integers orjson can write again
LONGEST = 20  # their digits

DEEPEST = 256
"""Levels of nesting in a body; what is stored of one may have less (`gateway.rest.storable`)."""

DRAINED = 4  # times the largest body; whoever sends more is cut off
BLOCK = 1 << 16


class Readable(Protocol):
    """Something bytes come out of until there are none."""

    def read(self, size: int, /) -> bytes:
        """Give up to `size` bytes; b'' at the end."""
        ...


def json_object(request: HttpRequest) -> dict[str, Any]:
    """Give the body's JSON object, strictly read: no NaN, no lone surrogate, no broken UTF-8."""
    body = body_bytes(request)
    try:
        value = orjson.loads(body)  # it counts levels itself, up to 1024
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not valid JSON: {error.msg}.") from error
    if not isinstance(value, dict):
        raise ParseError("The body must be a JSON object.")
    refuse_depth(body, value)
    return value


def refuse_depth(body: bytes, value: Any) -> None:
    """Refuse what is nested deeper than anything of ours may have to follow."""
    if body.count(b"{") + body.count(b"[") <= DEEPEST:
        return  # most bodies, at the price of counting
    if nested_deeper(value, DEEPEST):
        raise ValidationError([f"The body is nested more than {DEEPEST} levels deep."])


def json_array(request: HttpRequest) -> list[Any]:
    """Give the body's JSON array, read as forgivingly as JSON allows.

    A string cut through the middle of an emoji is a lone surrogate: legal JSON, refused by strict
    readers. One such string must not cost a device its whole queue.
    """
    body = body_bytes(request)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _forgiving(body)
    if not isinstance(value, list):
        raise ParseError("The body must be a JSON array.")
    return value


def body_bytes(request: HttpRequest) -> bytes:
    """Give the whole body; raises where it is too large, ends too early or holds too much."""
    chunked = _is_chunked(request)
    try:
        body = _chunked(request) if chunked else request.body
    except RequestDataTooBig as error:
        _drain(request.META["wsgi.input"] if chunked else request)
        raise ParseError("The body is too large.") from error
    except UnreadablePostError as error:
        raise ParseError("The body ended too early.") from error
    # what is a comma in JSON and an ampersand in a form takes a hundred bytes once it is read
    most = settings.MAX_BODY_VALUES
    if len(body) > most and body.count(b",") >= most:
        raise ValidationError([f"The body holds more than {most} values."])
    return body


def _drain(source: Readable) -> None:
    # a caller still writing would see a broken connection instead of our answer
    left = DRAINED * settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    while left > 0 and (block := source.read(BLOCK)):
        left -= len(block)


def _is_chunked(request: HttpRequest) -> bool:
    encoding = request.META.get("HTTP_TRANSFER_ENCODING", "")
    return encoding.lower() == "chunked" and not request.META.get("CONTENT_LENGTH")


def _chunked(request: HttpRequest) -> bytes:
    # Node's http client sends no length unless told to, and Django reads nothing without one
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body: bytes = request.META["wsgi.input"].read(limit + 1)
    if len(body) > limit:
        raise RequestDataTooBig
    request.META["wsgi.input"] = io.BytesIO(body)  # it may be read again, as any other body
    return body


def _forgiving(body: bytes) -> Any:
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_no_constant, parse_int=_int, parse_float=_float)
        # what was half a character becomes a question mark
        return orjson.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise ParseError("The body is not valid JSON.") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _int(digits: str) -> float | None:
    if len(digits) > LONGEST or not LOWEST <= int(digits) <= HIGHEST:
        return _float(digits)
    return int(digits)


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
