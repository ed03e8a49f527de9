"""Starting and ending processes so that none is ever left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from devstack.privileges import OURSELVES, Account

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1  # prctl(2)
KILL_SECONDS = 5.0
_libc = ctypes.CDLL(None) if LINUX else None


def spawn(
    command: Sequence[str],
    *,
    output: int,
    farewell: signal.Signals,
    environ: Mapping[str, str],
    folder: Path,
    account: Account = OURSELVES,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own; on Linux it gets `farewell` when we die.

    Call it from the main thread only: the kernel watches the thread that started the child.
    """
    return subprocess.Popen(
        account.command(command, farewell),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environ),
        cwd=folder,
        start_new_session=True,
        user=account.uid,
        group=account.gid,
        extra_groups=None if account.uid is None else [],
        preexec_fn=_die_with_parent(farewell),  # noqa: PLW1509 - one prctl, loaded beforehand
    )


def _die_with_parent(farewell: signal.Signals) -> Callable[[], None] | None:
    if _libc is None:
        return None
    libc, parent = _libc, os.getpid()

    def ask_the_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, farewell.value, 0, 0, 0)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask_the_kernel


def end(process: subprocess.Popen[bytes], *farewells: tuple[signal.Signals, float]) -> None:
    """Ask a process to end, in each of these ways for so many seconds, then kill its group."""
    for number, seconds in farewells:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            break
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of a process and of its children, and collect it."""
    signal_group(process.pid, signal.SIGKILL)
    process.wait(KILL_SECONDS)


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send a signal to a process and its children, as far as they are still there."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def living_in(folder: Path) -> list[int]:
    """Return the living processes at work in a folder: a server's working directory is its data.

    A recorded pid proves nothing: it may belong to a stranger by now, or to a zombie.
    """
    if not LINUX:
        return _naming(folder)
    found = []
    wanted = os.path.realpath(folder)
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if os.readlink(link) == wanted:  # noqa: PTH115 - " (deleted)" must stay a string
                found.append(int(link.parent.name))
    return found


def _naming(folder: Path) -> list[int]:
    listing = subprocess.run(
        ["ps", "-axo", "pid=,command="], check=False, capture_output=True, text=True, timeout=10
    )
    lines = (line.split(None, 1) for line in listing.stdout.splitlines())
    return [int(words[0]) for words in lines if len(words) > 1 and str(folder) in words[1]]


def end_leftovers(folder: Path, leaders: Iterable[int], farewell: signal.Signals) -> None:
    """End whatever an earlier owner left at work in a folder, asking its leader first."""
    living = living_in(folder)
    asked = [pid for pid in leaders if pid in living] or living
    _send(asked, farewell)
    deadline = time.monotonic() + 15
    while living and time.monotonic() < deadline:
        time.sleep(0.05)
        living = living_in(folder)
    _send(living, signal.SIGKILL)


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def last_lines(log: Path, count: int = 12) -> str:
    """Return the end of a log, indented, for a message that must explain itself."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return ""
    return "".join(f"\n    {line}" for line in lines)
