"""`shim.c`, built and switched: disks and clocks of single processes, and where names lead."""

import hashlib
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
BUILD = Path(__file__).with_name("build")
SWITCHES = struct.Struct("qq")

DATABASE, BROKER = "postgres", "valkey-server"
OURS = ("web", "worker", "urgent worker", "beat")


class Missing(Exception):
    """The shim cannot be had here; the text says why."""


class Shim:
    """Wrong clocks and full disks, by the name of a process."""

    def __init__(self) -> None:
        # an account that Postgres is run under must be able to read it
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-chaos-"))
        self.folder.chmod(0o755)
        self._library = Path(shutil.copy(build(), self.folder))
        self._library.chmod(0o755)
        for name in (DATABASE, BROKER, *OURS):
            self._switch(name)

    def environment(self, name: str | None = None) -> dict[str, str]:
        """Give what a process is started with; an engine goes by the name of its program."""
        loaded = {"LD_PRELOAD": str(self._library), "CHAOS_SWITCHES": str(self.folder)}
        return loaded if name is None else {**loaded, "CHAOS_NAME": name}

    @contextmanager
    def disk_full(self) -> Iterator[None]:
        """Let no file of the database grow for a while."""
        self._switch(DATABASE, full=True)
        try:
            yield
        finally:
            self._switch(DATABASE)

    def set_clocks(self, *names: str, hours: float) -> None:
        """Put the wall clocks of these processes so far ahead of the true time."""
        for name in names:
            self._switch(name, seconds=round(hours * 3600))

    def lead(self, name: str, address: str) -> None:
        """Let a name lead to this address, as when its entry in the DNS is changed."""
        draft = self.folder / "hosts.new"
        draft.write_text(f"{name} {address}\n")
        draft.replace(self.folder / "hosts")

    def reset(self) -> None:
        """Put everything right again."""
        (self.folder / "hosts").unlink(missing_ok=True)
        for name in (DATABASE, BROKER, *OURS):
            self._switch(name)

    def close(self) -> None:
        """Remove what was put in a shared place."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _switch(self, name: str, *, seconds: int = 0, full: bool = False) -> None:
        # in place: those who mapped the file see it change
        path = self.folder / name
        with path.open("r+b" if path.exists() else "wb") as switches:
            switches.write(SWITCHES.pack(seconds, full))
        path.chmod(0o644)


def build() -> Path:
    """Give the library, compiled on first use and whenever its source has changed."""
    if sys.platform != "linux":
        raise Missing("the shim is written for Linux")
    mark = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    library = BUILD / f"shim-{mark}.so"
    if library.exists():
        return library
    if (compiler := shutil.which("cc") or shutil.which("gcc")) is None:
        raise Missing("no C compiler: apt-get install gcc libc6-dev")
    BUILD.mkdir(exist_ok=True)
    draft = library.with_suffix(".draft")
    command = [compiler, "-O2", "-Wall", "-shared", "-fPIC", "-o", str(draft), str(SOURCE), "-ldl"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Missing(f"the shim does not compile: {done.stderr.strip().splitlines()[-1:]}")
    draft.replace(library)
    return library
