"""How far something long has come, on a terminal or in a log."""

import time

from django.core.management.base import OutputWrapper

WIDTH = 28
QUICK, SLOW = 0.1, 5.0
"""Seconds between two looks: of people, and of those who read logs."""


class Bar:
    """A line that is drawn over and over; where nobody watches, a new line now and then."""

    def __init__(self, label: str, *, total: int, stream: OutputWrapper) -> None:
        self._label, self._total, self._stream = label, max(total, 1), stream
        self._watched = stream.isatty()
        self._began = self._shown = time.monotonic()

    def move(self, position: int, *, done: int, note: str = "") -> None:
        """Show that `position` of the total is reached, with `done` things done since the start."""
        now = time.monotonic()
        if now - self._shown < (QUICK if self._watched else SLOW):
            return
        self._shown, took = now, max(now - self._began, 1e-3)
        share = min(position / self._total, 1)
        line = f"{self._label} {share:4.0%}  {done:,} read, {done / took:,.0f}/s{note}"
        if self._watched:
            full = "█" * round(share * WIDTH)
            self._write(f"\r\x1b[K{full:░<{WIDTH}} {line}")
        else:
            self._write(f"{line}\n")

    def clear(self) -> None:
        """Make room for another line."""
        if self._watched:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text, style_func=str, ending="")
        self._stream.flush()
