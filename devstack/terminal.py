import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

WIDTH = 9
COLOURS = {"stack": 36, "web": 32, "worker": 35, "beat": 34, "simulator": 33, "migrate": 90}


class Terminal:
    """Where people read what happens: one line at a time, each with the name of its speaker.

    Colour only on a terminal. A reader that goes away (`make run | head`) costs words, never the
    ordered stop.
    """

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._colour = stream.isatty()

    def say(self, name: str, text: str) -> None:
        """Print what one speaker said, each line with the name."""
        label = f"{name:<{WIDTH}} |"
        if self._colour:
            label = f"\x1b[{COLOURS.get(name, 37)}m{label}\x1b[0m"
        self.plain("\n".join(f"{label} {line}" for line in text.split("\n")))

    def plain(self, text: str) -> None:
        """Print a line as it is, for scripts that look for it."""
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except OSError:
            self._mute()

    def _mute(self) -> None:
        # what is still buffered would fail again when Python flushes its streams at exit
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Announce a slow step, and say how long it took once it succeeded."""
        self.say("stack", f"{what} ...")
        started = time.monotonic()
        yield
        self.say("stack", f"{what}: {time.monotonic() - started:.1f} s")
