import fcntl
import os
from pathlib import Path
from typing import IO

from devstack.errors import AlreadyRunning


class PlaceLock:
    """The right to be the only one at work in a directory; the kernel drops it if we die.

    The file stays: removing it would let two processes hold locks on two files of one name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock at once, or raise AlreadyRunning with the holder's pid."""
        file = self.path.open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise AlreadyRunning(self.holder() or 0) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let go; harmless when nothing is held."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def holder(self) -> int | None:
        """Return the pid of whoever holds the lock now, None when it is free."""
        try:
            file = self.path.open("r+", encoding="ascii")
        except FileNotFoundError:
            return None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return int(file.read() or 0)
        return None
