import os
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from devstack import processes
from devstack.place import ROOT
from devstack.services import Services, outside_home, run_dir_of


def eventually(condition, seconds=10.0):
    """Wait for something another process does; False when it did not come to pass in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.03)
    return bool(condition())


class Marked:
    """Finds every living process, however distant, that inherited this mark."""

    def __init__(self):
        self.mark = uuid.uuid4().hex

    def environ(self):
        # those of the suite's own make
        ours = ("DATABASE_URL", "REDIS_URL", "DEVSTACK_TEST", "PYTEST_", "MAKE", "MFLAGS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**kept, "DEVSTACK_MARK": self.mark, "PYTHONPATH": str(ROOT)}

    def living(self):
        found = []
        wanted = f"DEVSTACK_MARK={self.mark}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if wanted in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
        return found

    def start(self, program, *arguments, output=subprocess.PIPE):
        """Start a Python program given as text, in this checkout."""
        return subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=self.environ(),
            stdout=output,
            text=True,
            cwd=ROOT,
        )


@pytest.fixture
def marked():
    marked = Marked()
    yield marked
    for pid in marked.living():
        with suppress(ProcessLookupError):
            os.kill(pid, 9)


@pytest.fixture
def wait_until():
    return eventually


@pytest.fixture
def base(tmp_path):
    """A place nothing has ever run in."""
    return tmp_path / ".dev"


@pytest.fixture(scope="session")
def lived_in(tmp_path_factory):
    """A place with a cluster, stopped; whoever damages it repairs it."""
    base = tmp_path_factory.mktemp("lived-in") / ".dev"
    with Services(base, environ={}):
        pass
    return base


@pytest.fixture
def services():
    """A factory of engines, all stopped afterwards."""
    made = []

    def make(place, environ=None, **options):
        made.append(Services(place, environ=environ or {}, **options))
        return made[-1]

    yield make
    for one in reversed(made):
        one.stop()
    assert [trace for one in made for trace in traces(one.base)] == []


@pytest.fixture
def traces_of():
    return traces


def traces(base):
    """What a place has left outside its own folder: processes, sockets, data."""
    working = [*processes.living_in(base / "pg"), *processes.living_in(base / "valkey")]
    home = outside_home(base)
    working += processes.living_in(home / "pg")
    return [*working, *(folder for folder in (run_dir_of(base),) if folder.exists())]
