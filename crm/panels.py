"""Tables under a form: what belongs to a row, and is not edited with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.timezone import localtime


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A titled table; `note` says what it is of and what it leaves out."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    more: str = ""  # markup that follows, such as a form
    pinned: bool = False  # shown before the form

    @property
    def table(self) -> dict[str, Any]:
        """The table as the theme's component takes it."""
        return {"headers": list(self.headers), "rows": [list(row) for row in self.rows]}


def panel(
    title: str, headers: str, rows: Iterable[Sequence[Any]], *, note: str = "", more: str = ""
) -> Panel:
    """Give a panel; the headers are words with commas between them."""
    cells = [[show(cell) for cell in row] for row in rows]
    return Panel(title=title, headers=headers.split(", "), rows=cells, note=note, more=more)


def show(cell: Any) -> Any:
    """Give what is shown of a value."""
    if cell is None or cell == "":
        return "-"
    if isinstance(cell, datetime):
        return f"{localtime(cell):%Y-%m-%d %H:%M:%S}"
    return cell


def link(row: Model | None, text: object = "") -> Any:
    """Give a link to a row's own page, plain text where it has none."""
    if row is None:
        return "-"
    meta = row._meta  # noqa: SLF001 - Django's own name for what is public
    shown = text or row
    try:
        to = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return shown
    return format_html(
        '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', to, shown
    )
