"""A small process that outlives us by a moment, and ends what we started if we were killed.

The kernel tells direct children that their parent died, but not grandchildren (a worker's pool, a
web server's workers), and only on Linux. The guard reads our words from a pipe; when the pipe
closes without a farewell, it ends every group it was told of and removes what must not stay.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

GRACE = 2.0  # seconds between asking and insisting, after a kill -9 of our owner
FAREWELL = 5.0


class Guard:
    """The owner's end: what to end and remove should the owner disappear."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def watch(self, pid: int, farewell: signal.Signals) -> None:
        """End this process and its group if we die; `farewell` is how it is asked first."""
        self._tell(f"watch {pid} {farewell.value}")

    def forget(self, pid: int) -> None:
        """Leave this process alone from now on."""
        self._tell(f"forget {pid}")

    def remove(self, path: Path) -> None:
        """Remove this file or folder if we die."""
        self._tell(f"remove {path}")

    def close(self) -> None:
        """Dismiss the guard; nothing is ended or removed."""
        self._tell("done")
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(FAREWELL)

    def _tell(self, words: str) -> None:
        assert self._process.stdin is not None
        with suppress(
            OSError
        ):  # a guard that was itself killed protects nothing, and blocks nothing
            self._process.stdin.write(os.fsencode(words + "\n"))
            self._process.stdin.flush()


@dataclass
class Charge:
    """The guard's end: what it was told so far."""

    processes: dict[int, tuple[int, str]] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    dismissed: bool = False

    def hear(self, words: str) -> None:
        """Take in one line."""
        verb, _, rest = words.partition(" ")
        if verb == "watch":
            pid, farewell = map(int, rest.split())
            self.processes[pid] = (farewell, birth(pid))
        elif verb == "forget":
            self.processes.pop(int(rest), None)
        elif verb == "remove":
            self.paths.append(rest)
        elif verb == "done":
            self.dismissed = True

    def discharge(self) -> None:
        """Ask every process to end, insist on what is left of its group, remove the paths."""
        for pid, (farewell, born) in self.processes.items():
            if birth(pid) == born:
                _signal(os.kill, pid, farewell)
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and any(map(_group_lives, self.processes)):
            time.sleep(0.05)
        for pid, (_, born) in self.processes.items():
            if birth(pid) in {born, ""}:  # its group may outlive the leader, and keeps the number
                _signal(os.killpg, pid, signal.SIGKILL)
        for path in self.paths:
            _remove(path)


def birth(pid: int) -> str:
    """Return what tells a process from a later one with the same number; empty when unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19]  # starttime, proc_pid_stat(5)


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    with suppress(OSError):
        send(pid, number)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    states = list(_states(group))
    return not Path("/proc/self/stat").exists() or any(state != "Z" for state in states)


def _states(group: int) -> Iterator[str]:
    # killpg(2) also finds zombies, which a slow process 1 may keep for a while
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            if fields[2] == str(group):
                yield fields[0]


def _remove(path: str) -> None:
    for _ in range(3):  # a process that is just ending may still write
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - bytes that came through a pipe, not a Path of ours
        if not os.path.lexists(path):
            return
        time.sleep(0.1)


def main() -> None:
    """Listen until the owner dismisses us or is gone."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    charge = Charge()
    for line in sys.stdin.buffer:
        charge.hear(os.fsdecode(line).rstrip("\n"))
    if not charge.dismissed:
        charge.discharge()


if __name__ == "__main__":
    main()
