"""Tables as CSV, made a line at a time, with nothing in them a spreadsheet would carry out."""

import csv
from collections.abc import Iterable
from typing import Any

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes spreadsheets take a cell for a formula."""


class _Line:
    """What `csv` writes to: gives the line back."""

    def write(self, line: str) -> str:
        return line


_write = csv.writer(_Line()).writerow


def csv_line(cells: Iterable[Any]) -> str:
    """Give a row as a line of CSV; a text that begins like a formula gets an apostrophe first."""
    line: str = _write([_safe(cell) for cell in cells])
    return line


def _safe(cell: Any) -> Any:
    if isinstance(cell, str) and cell.startswith(RISKY):
        return f"'{cell}"
    return "" if cell is None else cell
