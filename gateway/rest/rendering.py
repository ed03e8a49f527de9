"""Answers as JSON, written by what reads the requests."""

from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.renderers import JSONRenderer


class Response(HttpResponse):
    """An API's answer, written where it is made; one without a body has no content type.

    REST framework's own is rendered at the end of a request, by whatever was negotiated; here that
    is always JSON.
    """

    def __init__(
        self, data: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        body = json_of(data)
        super().__init__(body, content_type="application/json", status=status, headers=headers)
        if not body:
            del self["Content-Type"]


def json_of(data: Any) -> bytes:
    """Give compact UTF-8, nothing for None; what orjson does not know is written as ever."""
    if data is None:
        return b""
    try:
        return orjson.dumps(data, option=orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:
        rendered: bytes = JSONRenderer().render(data)
        return rendered
