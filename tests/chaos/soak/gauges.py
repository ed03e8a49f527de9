"""What must not grow: memory, files and connections, read every few seconds, judged in the end."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.chaos.victims import children
from tests.journeys.stack import Stack

EVERY = 5.0
SLACK = 1.10
"""How much more than before is still flat."""

ROOM = {"MiB": 8.0, "files": 10.0, "connections": 10.0}
"""And how much more in any case: a pool is not always as full."""


@dataclass
class Gauge:
    """One figure over time."""

    name: str
    unit: str
    values: list[float] = field(default_factory=list)

    def thirds(self) -> tuple[float, float]:
        """Give the middle of its first and of its last third."""
        third = max(1, len(self.values) // 3)
        return median(self.values[:third]), median(self.values[-third:])

    def is_flat(self) -> bool:
        """Say whether it has not grown."""
        first, last = self.thirds()
        return last <= first * SLACK + ROOM[self.unit]


class Gauges:
    """All of them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._read_at = 0.0
        self._gauges: dict[str, Gauge] = {}

    def __iter__(self) -> Iterator[Gauge]:
        return iter(self._gauges.values())

    def read(self) -> None:
        """Take a reading where one is due; what is just being started again is left out."""
        if time.monotonic() - self._read_at < EVERY:
            return
        self._read_at = time.monotonic()
        for name, pid in self._stack.pids().items():
            with suppress(OSError):
                family = family_of(pid)
                self._note(f"{name} memory", "MiB", sum(map(anonymous_mib, family)))
                self._note(f"{name} open files", "files", sum(map(open_files, family)))
        with self._stack.database() as database:
            row = database.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            ).fetchone()
        self._note("database connections", "connections", row[0] if row else 0)
        with self._stack.broker() as broker:
            clients = broker.info("clients")["connected_clients"]
        self._note("broker connections", "connections", clients)

    def _note(self, name: str, unit: str, value: float) -> None:
        self._gauges.setdefault(name, Gauge(name, unit)).values.append(value)


def family_of(pid: int) -> list[int]:
    """Give a process and all its descendants."""
    return [pid, *(each for child in children(pid) for each in family_of(child))]


def anonymous_mib(pid: int) -> float:
    """Give the memory that is a process's own: pages it shares with a file or a parent are not."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


def open_files(pid: int) -> int:
    """Count a process's file descriptors, sockets among them."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
