"""What a request carries, whichever of its two forms: JSON, or a form with keys in brackets."""

import json
from typing import Any, NoReturn

import orjson
from django.http import HttpRequest
from rest_framework.exceptions import ParseError, ValidationError

from gateway.rest.body import body_bytes
from gateway.rest.bracketed import Excessive, Unreadable, read_form, read_query
from gateway.rest.storable import objection

FORM = "application/x-www-form-urlencoded"


class Written(str):
    """A JSON number exactly as it was written; signatures are made of that."""

    __slots__ = ()


def read_body(request: HttpRequest) -> dict[str, Any]:
    """Give the members of the body; an absent body has none.

    Raises `ParseError` for what is neither JSON object nor form, and a refusal for what no
    database can keep.
    """
    return _read(request, _decoded)


def read_body_as_written(request: HttpRequest) -> dict[str, Any]:
    """Give the same with every JSON number as `Written` text."""
    return _read(request, _as_written)


def read_params(request: HttpRequest) -> dict[str, Any]:
    """Give the query string's parameters, nested by their brackets; all values are text."""
    try:
        params = read_query(request.META.get("QUERY_STRING", ""))
    except Excessive as error:
        raise _too_much(error) from error
    except Unreadable as error:
        raise ParseError from error
    return _storable(params)


def _read(request: HttpRequest, decode: Any) -> dict[str, Any]:
    raw = body_bytes(request)
    if not raw.strip():
        return {}  # GET and DELETE come with a form's Content-Type and nothing in it
    try:
        said = decode(raw) if _is_json(request, raw) else read_form(raw)
    except Excessive as error:
        raise _too_much(error) from error
    except (ValueError, RecursionError) as error:
        raise ParseError from error
    if not isinstance(said, dict):
        raise ParseError
    return _storable(said)


def _too_much(error: Excessive) -> ValidationError:
    said = str(error)
    return ValidationError([f"{said[:1].upper()}{said[1:]}"])


def _is_json(request: HttpRequest, raw: bytes) -> bool:
    """Say which form it is: the declared one, and where none is, what it looks like."""
    declared = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if declared == FORM:
        return False
    return declared.endswith("json") or raw.lstrip()[:1] in {b"{", b"["}


def _decoded(raw: bytes) -> Any:
    return orjson.loads(raw)


def _as_written(raw: bytes) -> Any:
    orjson.loads(raw)  # the strict reader decides; the other only keeps how numbers are spelled
    return json.loads(raw, parse_int=Written, parse_float=Written, parse_constant=_none)


def _none(name: str) -> NoReturn:
    raise ValueError(name)


def _storable(said: dict[str, Any]) -> dict[str, Any]:
    if (reason := objection(said)) is not None:
        raise ValidationError({"": [reason]})
    return said
