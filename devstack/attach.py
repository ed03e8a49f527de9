"""What already runs here, or the same of our own for as long as one command lasts."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devstack import processes
from devstack.errors import StackError
from devstack.guard import Guard
from devstack.locking import PlaceLock
from devstack.place import ROOT, Place, make_private
from devstack.ports import free_port
from devstack.services import Services

READY_SECONDS = 120


@contextmanager
def engines(place: Place) -> Iterator[dict[str, str]]:
    """Yield the environment of a command that needs this checkout's database and broker.

    While `make run` is up these are its engines; otherwise they are started on the same data, and
    stopped when the command ends.
    """
    if is_running(place):
        yield place.environment(json.loads(place.addresses.read_text()))
        return
    with Services(place.base) as urls:
        yield place.environment(urls.environment())


@contextmanager
def running_stack(place: Place) -> Iterator[dict[str, Any]]:
    """Yield the demo facts of the running stack, or of one that ends with the command."""
    if is_running(place):
        yield json.loads(place.demo.read_text())
        return
    make_private(place.base)
    log, guard = place.base / "own-stack.log", Guard()
    print(f"starting a stack of our own; its words go to {log}", flush=True)
    with log.open("wb") as output:
        stack = processes.spawn(
            [sys.executable, "-m", "devstack", "run", str(free_port())],
            output=output.fileno(),
            farewell=signal.SIGTERM,
            environ=place.environment({}),
            folder=ROOT,
        )
    guard.watch(stack.pid, signal.SIGTERM)
    try:
        _await_ready(stack, log)
        yield json.loads(place.demo.read_text())
    finally:
        processes.end(stack, (signal.SIGTERM, 30))
        guard.close()


def is_running(place: Place) -> bool:
    """Say whether `make run` is up and ready in this place."""
    return PlaceLock(place.lock).holder() is not None and place.demo.is_file()


def _await_ready(stack: subprocess.Popen[bytes], log: Path) -> None:
    """Return once it says READY; what it said instead is the refusal."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if any(line.startswith("READY ") for line in log.read_text().splitlines()):
            return
        if stack.poll() is not None:
            break
        time.sleep(0.1)
    raise StackError(f"the stack did not get ready:{processes.last_lines(log, 25)}")
