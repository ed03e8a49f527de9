"""One page of a list read by key, whatever its filters ask and however long the table is."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.db.models import QuerySet

STRIDE, GROWTH = 20_000, 4
"""Keys looked at by the first query of a search without an index, and how much wider the next."""

PATIENCE = 1.0
"""Seconds after which such a search shows what it has, and offers to go on from there."""

MOST_APPS = 20
"""Apps whose rows are walked one by one and merged; with more the table is walked as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a page begins: below `older`, or above `newer`, or at the newest row."""

    older: int | None = None
    newer: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Rows, newest first, and the keys from which the pages beside it begin, where there are."""

    rows: Sequence[Any]
    older: int | None
    newer: int | None
    looked_through: bool = True  # false where time was up before the page was full


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """How the rows of a list are found.

    Where `indexed`, an index gives them in the order of their keys; else keys are looked through
    stretch by stretch. `apps` are walked one by one along an index by app.
    """

    indexed: bool
    apps: Sequence[int] = ()
    app_path: str = "app"


def read_page(rows: QuerySet[Any], place: Place, *, scope: Scope, size: int) -> Page:
    """Give a page of rows: one query, two along several apps, a few without an index."""
    up = place.newer is not None
    start = place.newer if up else place.older
    find = _walk if scope.indexed else _look
    found, reached = find(rows, start, scope, size + 1, up=up)
    over, page = len(found) > size, found[:size]
    if up:
        page = page[::-1]
    beyond = page[0 if up else -1].pk if over else reached
    behind = _behind(page, start, up=up)
    older, newer = (behind, beyond) if up else (beyond, behind)
    return Page(rows=page, older=older, newer=newer, looked_through=reached is None or over)


def _behind(page: Sequence[Any], start: int | None, *, up: bool) -> int | None:
    """Give the key from which one comes back to where one came from."""
    if start is None:
        return None
    if page:
        return int(page[-1 if up else 0].pk)
    return start + 1 if up else start - 1


def _ahead(rows: QuerySet[Any], start: int | None, *, up: bool) -> QuerySet[Any]:
    if start is not None:
        rows = rows.filter(**{"pk__gt" if up else "pk__lt": start})
    return rows.order_by("pk" if up else "-pk")


def _walk(
    rows: QuerySet[Any], start: int | None, scope: Scope, most: int, *, up: bool
) -> tuple[list[Any], int | None]:
    rows = _ahead(rows, start, up=up)
    if not 1 < len(scope.apps) <= MOST_APPS:
        return list(rows[:most]), None
    # of several apps in one condition an index gives no order: each by itself, then merged
    first, *others = (
        rows.filter(**{scope.app_path: app}).select_related(None).values("pk")[:most]
        for app in scope.apps
    )
    merged = first.union(*others, all=True).order_by("pk" if up else "-pk")[:most]
    keys = [row["pk"] for row in merged]
    return list(rows.filter(pk__in=keys)), None


def _look(
    rows: QuerySet[Any], start: int | None, scope: Scope, most: int, *, up: bool
) -> tuple[list[Any], int | None]:
    """Give rows, and the key that was reached where some keys are still to be looked at."""
    del scope
    ahead = _ahead(rows, start, up=up)
    ends = rows.model._default_manager.order_by("-pk").values_list("pk", flat=True)  # noqa: SLF001
    last = ends.first() or 0
    at = start if start is not None else last + 1
    found: list[Any] = []
    began, stride, looked = monotonic(), STRIDE, False
    while len(found) < most and (at <= last if up else at > 0):
        if looked and monotonic() - began >= PATIENCE:
            return found, at
        to = at + stride if up else at - stride
        stretch = ahead.filter(pk__gt=at, pk__lte=to) if up else ahead.filter(pk__lt=at, pk__gte=to)
        found += stretch[: most - len(found)]
        at, stride, looked = to, stride * GROWTH, True
    return found, None
