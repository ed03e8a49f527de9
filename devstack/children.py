"""The processes a supervisor owns: their words are read, their death is noticed, none stays."""

import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack import processes
from devstack.errors import StackError
from devstack.guard import Guard
from devstack.terminal import Terminal

CHUNK = 65536
REMEMBERED = 20
STOP_SECONDS = 10.0


@dataclass
class Child:
    """One process, and the last it said."""

    name: str
    process: subprocess.Popen[bytes]
    last: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    unfinished: bytes = b""
    started_at: float = field(default_factory=time.time)

    def said(self, word: str) -> bool:
        """Say whether one of its last lines holds a word."""
        return any(word in line for line in self.last)

    def died(self) -> StackError:
        """Return the refusal that tells how it ended and repeats its last words."""
        words = "".join(f"\n    {line}" for line in self.last)
        status = self.process.returncode
        return StackError(f"{self.name} ended with status {status}; its last lines:{words}")


class Children:
    """All of them, served by one thread: the kernel ties a child's life to its parent thread."""

    def __init__(self, terminal: Terminal, guard: Guard) -> None:
        self._terminal = terminal
        self._guard = guard
        self._selector = selectors.DefaultSelector()
        self._children: list[Child] = []

    def start(
        self, name: str, command: Sequence[str], *, environ: Mapping[str, str], folder: Path
    ) -> Child:
        """Start a process whose lines appear behind its name."""
        reading, writing = os.pipe()
        try:
            process = processes.spawn(
                command, output=writing, farewell=signal.SIGTERM, environ=environ, folder=folder
            )
        finally:
            os.close(writing)
        self._guard.watch(process.pid, signal.SIGTERM)
        child = Child(name, process)
        self._children.append(child)
        os.set_blocking(reading, False)
        self._selector.register(reading, selectors.EVENT_READ, child)
        return child

    def run(
        self,
        name: str,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        folder: Path,
        seconds: float,
    ) -> None:
        """Run a process to its good end, while everybody else keeps talking."""
        child = self.start(name, command, environ=environ, folder=folder)
        self.wait_for(
            lambda: child.process.poll() is not None, seconds=seconds, what=name, finishing=child
        )
        self._forget(child)
        if child.process.returncode != 0:
            raise child.died()

    def wait_for(
        self,
        ready: Callable[[], bool],
        *,
        seconds: float,
        what: str,
        finishing: Child | None = None,
    ) -> None:
        """Serve everybody until `ready`; a deadline or a death ends the wait with a refusal."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.pump(0.05)
            self.check(except_for=finishing)
            if time.monotonic() > deadline:
                raise StackError(f"{what}: not ready after {seconds:.0f} s")

    def check(self, *, except_for: Child | None = None) -> None:
        """Raise the refusal of the first child found dead."""
        for child in self._children:
            if child is not except_for and child.process.poll() is not None:
                self._forget(child)
                raise child.died()

    def pump(self, seconds: float) -> None:
        """Show what children say, for at most so long while they say nothing."""
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            self._read(key.fd, key.data)

    def stop(self) -> None:
        """Ask all to end, newest first, and leave nothing of their groups behind."""
        for child in reversed(self._children):
            child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and self._anyone_lives():
            self.pump(0.05)
        for child in list(self._children):
            self._forget(child)

    def kill(self) -> None:
        """End all groups at once; `stop` still collects them. Safe in a signal handler."""
        for child in self._children:
            processes.signal_group(child.process.pid, signal.SIGKILL)

    def _anyone_lives(self) -> bool:
        return any(child.process.poll() is None for child in self._children)

    def _forget(self, child: Child) -> None:
        processes.kill_group(child.process)
        self._guard.forget(child.process.pid)
        self._children.remove(child)
        self._drain(child)

    def _drain(self, child: Child) -> None:
        """Show a dead child's last words and let go of its pipe, whoever else still holds it."""
        fds = [key.fd for key in self._selector.get_map().values() if key.data is child]
        for fd in fds:
            while self._read(fd, child):
                pass
            if fd in self._selector.get_map():
                self._close(fd)

    def _read(self, fd: int, child: Child) -> bool:
        """Show what is there; False when there is nothing more for now."""
        try:
            said = os.read(fd, CHUNK)
        except BlockingIOError:
            return False
        if not said:
            self._close(fd)
            self._show(child, b"\n" if child.unfinished else b"")
            return False
        self._show(child, said)
        return True

    def _show(self, child: Child, said: bytes) -> None:
        *lines, child.unfinished = (child.unfinished + said).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            child.last.append(text)
            self._terminal.say(child.name, text)

    def _close(self, fd: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)
