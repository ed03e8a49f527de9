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
        if file is not None:
            known = file.read_text(encoding="utf-8").splitlines() if after and file.exists() else []
            kept = [line + "\n" for line in known if json.loads(line)["line"] <= after]
            file.write_text("".join(kept), encoding="utf-8")

    def note(self, refusals: Sequence[Refusal]) -> None:
        """Take note of some."""
        for refusal in refusals[: max(SHOWN - self.count, 0)]:
            self._show(str(refusal))
        self.count += len(refusals)
        if self._file is not None and refusals:
            with self._file.open("a", encoding="utf-8") as lines:
                lines.writelines(json.dumps(refusal.as_json()) + "\n" for refusal in refusals)
