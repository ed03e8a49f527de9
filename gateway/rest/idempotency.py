"""Calls that may be asked again: an `Idempotency-Key` header, or a member of the body beside it.

A call without a key costs nothing, not even a query. Which calls take one is said where they are
written, by `once_per_key`; how a refusal looks is up to the dialect.
"""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

import orjson
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request

from crm.commands.kept_answers import Answer, Call, KeyReused, StillRunning, answer_once
from crm.models import App
from crm.models.kept_answer import LONGEST_KEY
from gateway.rest.body import body_bytes
from gateway.rest.rendering import Response

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
AGAIN_IN = 1
"""Seconds after which whoever came too early is told to come again."""

PRINTABLE = re.compile(r"[ -~]+")

PARAMETERS = [
    OpenApiParameter(
        HEADER,
        {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
        OpenApiParameter.HEADER,
        description=(
            "A key of the caller's own, best a random UUID. The same request under the same key is"
            " done once and answered alike, for a day by default. 409: the first is still running;"
            " 422: the key was used for another request."
        ),
    ),
    OpenApiParameter(
        REPLAYED,
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        response=[200, 201, 202, 204],
        enum=["true"],
        description="There where the answer is that of an earlier request.",
    ),
]


Action = TypeVar("Action", bound=Callable[..., Response])

MARK = "runs_once_per_key"
"""What tells such an action from others."""


class Busy(APIException):
    """The first call under a key is still running; `wait` is in seconds."""

    status_code = 409
    wait = AGAIN_IN


class Reused(APIException):
    """The key was used for another request before."""

    status_code = 422


class Keyed(Protocol):
    """What a view tells of its callers."""

    key_field: str

    @property
    def app(self) -> App:
        """Their tenant."""
        ...

    @property
    def key_owner(self) -> str:
        """Who of the tenant asks: everybody else has keys of their own."""
        ...

    def body(self) -> dict[str, Any]:
        """Give what was sent."""
        ...


def once_per_key(action: Action) -> Action:
    """Have an action run once for each key of a caller, and answer repetitions alike.

    All it writes must be in the one database: it is one transaction with the answer.
    """

    @wraps(action)
    def run(view: Keyed, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = read_key(view, request)
        if key is None:
            return action(view, request, *args, **kwargs)
        call = Call(app=view.app, door=view.key_owner, key=key, ask=_ask(request))
        try:
            answer = answer_once(call, lambda: _kept(action(view, request, *args, **kwargs)))
        except StillRunning as refusal:
            raise Busy(str(refusal)) from refusal
        except KeyReused as refusal:
            raise Reused(str(refusal)) from refusal
        return _response(answer)

    setattr(run, MARK, True)
    return cast("Action", extend_schema(parameters=PARAMETERS)(run))


def read_key(view: Keyed, request: Request) -> str | None:
    """Give the key of a call, None where it has none; raises where it is none or there are two."""
    keys = {}
    if (header := request.META.get("HTTP_IDEMPOTENCY_KEY")) is not None:
        keys[HEADER] = _checked(HEADER, _unquoted(header))
    # looking for its name spares reading a body twice
    if view.key_field.encode() in body_bytes(request):
        field = view.body().get(view.key_field)
        if field is not None:
            keys[view.key_field] = _checked(view.key_field, field)
    if len(set(keys.values())) > 1:
        raise ValidationError({view.key_field: [f"Must be that of the header {HEADER}."]})
    return next(iter(keys.values()), None)


def _checked(name: str, key: object) -> str:
    if not isinstance(key, str):
        raise ValidationError({name: ["Must be a string."]})
    if not 1 <= len(key) <= LONGEST_KEY:
        raise ValidationError({name: [f"Must have 1 to {LONGEST_KEY} characters."]})
    if not PRINTABLE.fullmatch(key):
        raise ValidationError({name: ["Must have printable ASCII characters only."]})
    return key


def _unquoted(header: str) -> str:
    # the draft standard puts it in quotes (structured fields), most callers do not
    key = header.strip()
    return key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key


def _ask(request: Request) -> bytes:
    path = request.path_info.encode(errors="replace")
    head = f"{request.method} {len(path)} ".encode()
    return b"%s%s\n%s" % (head, path, body_bytes(request))


def _kept(response: Response) -> Answer:
    return Answer(response.status_code, response.content)


def _response(answer: Answer) -> Response:
    written = orjson.Fragment(answer.body) if answer.body else None
    headers = {REPLAYED: "true"} if answer.replayed else None
    return Response(written, status=answer.status, headers=headers)
