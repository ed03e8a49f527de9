"""Places for the values of processes that share a scrape: each held by one that lives.

A slot is a number with files of values and a lock file. Its holder keeps the lock, so the kernel
lets go of it however the holder ends. Whoever comes next goes on with its counts: nothing is lost
with a killed process, nothing is counted twice, and there are never more files than there have been
processes at one time.
"""

import fcntl
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

LOCK = re.compile(r"slot_(\d+)\.lock")
FAMILY = re.compile(r"(web|worker|tick)-.+-\d+")


ROOM = {
    "counter": 1 << 17,
    "histogram": 1 << 19,
    "gauge_livesum": 1 << 16,
    "gauge_livemax": 1 << 16,
    "gauge_liveall": 1 << 16,
}
"""Bytes taken for each kind of file at once: a page of a memory map for which the disk has no room
later, ends the process that writes to it."""


class Held(NamedTuple):
    """A slot that is ours for as long as the descriptor is open."""

    number: int
    descriptor: int


class Slots:
    """The slots of one family of processes, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self) -> Held:
        """Give the lowest free slot, with the counts of who held it before and none of its gauges.

        The first of a family begins with nothing: what is there is of one that is gone.
        """
        with locked(self.folder / "family.lock"):
            if not self.living():
                self._clear()
            number = 0
            while (descriptor := _lock(self._lock_of(number))) is None:
                number += 1
            for gauge in self.folder.glob(f"gauge_*_{number}.db"):
                gauge.unlink()
            written = os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            os.ftruncate(descriptor, written)
        return Held(number, descriptor)

    def reserve(self, number: int) -> None:
        """Take the room a slot's files need; an `OSError` where there is none.

        A new file gets its name once it has its room: a scrape cannot read an empty one.
        """
        for kind, size in ROOM.items():
            path = self.folder / f"{kind}_{number}.db"
            made = path if path.exists() else path.with_suffix(".new")
            descriptor = os.open(made, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, size)
            finally:
                os.close(descriptor)
            made.rename(path)

    def living(self) -> Mapping[int, int]:
        """Give the process of every slot that is held."""
        found = {}
        for path in self.folder.glob("slot_*.lock"):
            if (named := LOCK.fullmatch(path.name)) and is_held(path):
                with suppress(ValueError, OSError):
                    found[int(named[1])] = int(path.read_text())
        return found

    def files(self) -> list[str]:
        """Give the files that count: of the dead, what they counted and not what they were at."""
        living = self.living()
        return [
            str(path)
            for path in sorted(self.folder.glob("*.db"))
            if not path.name.startswith("gauge_") or int(path.stem.rpartition("_")[2]) in living
        ]

    def _lock_of(self, number: int) -> Path:
        return self.folder / f"slot_{number}.lock"

    def _clear(self) -> None:
        for path in (*self.folder.glob("*.db"), *self.folder.glob("slot_*.lock")):
            path.unlink()


def join_family(base: Path, role: str, number: int) -> tuple[Slots, Held]:
    """Give the slots of a family and a free one of them; families nobody is left of are removed.

    Raises `OSError` where the folder cannot be made, or belongs to somebody else.
    """
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    if base.is_symlink() or base.stat().st_uid != os.geteuid():
        raise PermissionError(f"{base} is not ours")
    folder = base / f"{role}-{socket.gethostname()}-{number}"
    with locked(base / "base.lock"):
        for other in base.iterdir():
            if other != folder and FAMILY.fullmatch(other.name) and not Slots(other).living():
                shutil.rmtree(other, ignore_errors=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        slots = Slots(folder)
        return slots, slots.take()  # while nobody else can find it without anybody, and remove it


def is_held(path: Path) -> bool:
    """Say whether somebody who lives holds a lock file."""
    if (descriptor := _lock(path, create=False)) is None:
        return path.exists()
    os.close(descriptor)
    return False


def _lock(path: Path, *, create: bool = True) -> int | None:
    """Give an open descriptor that holds the lock; None where another has it, or none is there."""
    try:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep others out for a moment."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
