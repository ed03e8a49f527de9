"""Refused lines as they come: all of them into a file, the first ones shown."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.kumulos.importing.run import Refusal

SHOWN = 20


class RefusedLines:
    """What was left out, and why; `count` is of this process.

    Whoever goes on after a line keeps what the file says of lines up to there: those of a chunk
    that was never stored come again.
    """

    def __init__(self, file: Path | None, *, after: int, show: Callable[[str], None]) -> None:
        self.count = 0
        self._show = show
        self._file = file
        if file is not None and after and file.is_file():
            _cut(file, after=after)
        elif file is not None:
            file.write_text("", encoding="utf-8")

    def note(self, refusals: Sequence[Refusal]) -> None:
        """Take note of some."""
        for refusal in refusals[: max(SHOWN - self.count, 0)]:
            self._show(str(refusal))
        self.count += len(refusals)
        if self._file is not None and refusals:
            with self._file.open("a", encoding="utf-8") as lines:
                lines.writelines(json.dumps(refusal.as_json()) + "\n" for refusal in refusals)


def _cut(file: Path, *, after: int) -> None:
    """Leave what a file says of lines up to there."""
    kept = file.with_name(f"{file.name}.kept")
    with file.open(encoding="utf-8") as known, kept.open("w", encoding="utf-8") as lines:
        lines.writelines(line for line in known if _is_of(line, up_to=after))
    kept.replace(file)


def _is_of(text: str, *, up_to: int) -> bool:
    try:
        return bool(json.loads(text)["line"] <= up_to)
    except (ValueError, LookupError, TypeError):  # cut off in the middle, or not ours
        return False
