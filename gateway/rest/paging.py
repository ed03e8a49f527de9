"""Which slice of a long list a caller wants: `currentPage` and `numberPerPage`, read strictly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError

from gateway.rest.fields import REQUIRED

LARGEST = 1000
FURTHEST = 2**31 - 1  # an OFFSET the database still takes, times LARGEST

DIGITS = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Page:
    """One slice of a list; the first page is number 1."""

    number: int = 1
    size: int = 50

    @property
    def offset(self) -> int:
        """How many rows come before it."""
        return (self.number - 1) * self.size

    @property
    def rows(self) -> slice:
        """The rows it shows of an ordered query."""
        return slice(self.offset, self.offset + self.size)


def read_page(params: Mapping[str, str], *, required: bool) -> Page:
    """Give the page a query string names; what it leaves out is defaulted, unless required.

    Raises with the reasons of both parameters at once.
    """
    reader = _Reader(params, required=required)
    number = reader.whole("currentPage", default=1, at_most=FURTHEST)
    size = reader.whole("numberPerPage", default=50, at_most=LARGEST)
    if reader.reasons:
        raise ValidationError(reader.reasons)
    return Page(number, size)


def page_parameters(*, required: bool) -> list[OpenApiParameter]:
    """Give what the OpenAPI page says of both parameters."""
    return [
        OpenApiParameter("currentPage", int, required=required, description="from 1"),
        OpenApiParameter(
            "numberPerPage", int, required=required, description=f"from 1 to {LARGEST}"
        ),
    ]


class _Reader:
    def __init__(self, params: Mapping[str, str], *, required: bool) -> None:
        self.reasons: dict[str, list[str]] = {}
        self._params = params
        self._required = required

    def whole(self, key: str, *, default: int, at_most: int) -> int:
        said = self._params.get(key)
        if said is None:
            if self._required:
                self.reasons[key] = [REQUIRED]
            return default
        if DIGITS.fullmatch(said) and 1 <= int(said) <= at_most:
            return int(said)
        self.reasons[key] = [f"Must be a whole number from 1 to {at_most}."]
        return default
