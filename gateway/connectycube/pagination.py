"""Which slice of a list a caller wants; values out of range are clamped, never refused."""

import re
from collections.abc import Mapping
from typing import Any

from gateway.rest.paging import FURTHEST, Page

DEFAULT, LARGEST = 10, 100
DIGITS = re.compile(r"-?[0-9]{1,18}")


def read_page(query: Mapping[str, Any]) -> Page:
    """Give the page `page` and `per_page` name; the first page is number 1."""
    return Page(
        number=_clamped(query.get("page"), default=1, at_most=FURTHEST),
        size=_clamped(query.get("per_page"), default=DEFAULT, at_most=LARGEST),
    )


def page_body(page: Page, *, total: int, items: list[Any]) -> dict[str, Any]:
    """Give one page of a list as the wire has it."""
    return {
        "current_page": page.number,
        "per_page": page.size,
        "total_entries": total,
        "items": items,
    }


def _clamped(said: Any, *, default: int, at_most: int) -> int:
    if not (isinstance(said, str) and DIGITS.fullmatch(said)):
        return default
    return min(max(int(said), 1), at_most)
