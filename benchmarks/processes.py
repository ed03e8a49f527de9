"""Programs started for a benchmark, and what they take."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.turns import ROOT, WrongResult
from devstack import programs
from devstack.ports import free_port

START_DEADLINE = 40
TICK = os.sysconf("SC_CLK_TCK")


def run(command: Sequence[str], environ: Mapping[str, str], *, seconds: float | None = None) -> str:
    """Give what a command writes; raises with its last line where it fails, or after `seconds`."""
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environ,
        timeout=seconds,
    )
    if done.returncode:
        raise WrongResult((done.stderr.strip().splitlines() or [f"{command} failed"])[-1])
    return done.stdout


@contextmanager
def served(program: str, environ: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Have a program behind the web server of `make run`; gives its port and process."""
    port = free_port()
    command = [*programs.web(port)[:-1], program]
    with started(command, environ) as pid:
        wait_for(port)
        yield port, pid


def wait_for(port: int) -> None:
    """Wait until a web server answers, whatever it says."""
    ends_at = time.monotonic() + START_DEADLINE
    while time.monotonic() < ends_at:
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as asking:
            try:
                asking.request("GET", "/nothing")
                asking.getresponse()
            except OSError:
                time.sleep(0.1)
            else:
                return
    raise WrongResult(f"no web server after {START_DEADLINE} s")


def cpu_seconds(root: int) -> float:
    """Give the CPU seconds of a process and all its descendants, the ended ones included."""
    return sum(seconds for _, seconds in _members(root))


def family(root: int) -> list[int]:
    """Give a process and all its descendants."""
    return [pid for pid, _ in _members(root)]


def _members(root: int) -> list[tuple[int, float]]:
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(") ")[2].split()
        except OSError:
            continue  # it ended meanwhile
        pid = int(entry.parent.name)
        parents[pid] = int(fields[1])
        seconds[pid] = sum(map(int, fields[11:15])) / TICK
    members = {root}
    while more := {pid for pid, parent in parents.items() if parent in members} - members:
        members |= more
    return [(pid, seconds.get(pid, 0.0)) for pid in members]


@contextmanager
def started(command: Sequence[str], environ: dict[str, str]) -> Iterator[int]:
    """Have a process for a while, quiet; gives its number."""
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def peak_mib(root: int) -> float:
    """Give the most memory one process of a family has had resident, in MiB."""
    peaks = [0.0]
    for pid in family(root):
        with suppress(OSError):
            said = Path(f"/proc/{pid}/status").read_text()
            peaks.append(float(said.partition("VmHWM:")[2].split()[0]) / 1024)
    return max(peaks)
