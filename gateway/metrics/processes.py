"""The processes of a family: how many live, what they take, and whether one is stuck."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

from prometheus_client import Gauge
from prometheus_client.core import GaugeMetricFamily, Metric, Sample
from prometheus_client.registry import Collector

from gateway.metrics.family import family, merged

RUNNING_SINCE = Gauge(
    "gateway_task_running_since",
    "By the machine's monotonic clock, when a process began the task it is at; 0 for none.",
    ["of"],
    multiprocess_mode="liveall",
)
INTERNAL = frozenset({"gateway_task_running_since"})
"""What is not shown as it is: a moment of one machine's clock says nothing elsewhere."""

PAGE = os.sysconf("SC_PAGE_SIZE")


class Processes(Collector):
    """Facts of the family's living processes, read when asked."""

    def collect(self) -> Iterator[Metric]:
        """Give how many there are and how much memory they hold."""
        pids = list(family.slots.living().values()) if family.slots else [os.getpid()]
        count = GaugeMetricFamily("gateway_processes", "Processes behind this scrape.")
        count.add_metric([], len(pids))
        yield count
        memory = GaugeMetricFamily(
            "gateway_process_resident_bytes", "Memory they hold; what they share counts for each."
        )
        memory.add_metric([], sum(map(resident, pids)))
        yield memory
        longest = GaugeMetricFamily(
            "gateway_task_longest_seconds", "How long the longest task under way has been running."
        )
        longest.add_metric([], longest_task())
        yield longest


def longest_task() -> float:
    """Give the seconds some process of the family has been at one task; 0 where none is."""
    began = [sample.value for sample in _samples() if sample.value]
    return max(monotonic() - min(began), 0.0) if began else 0.0


def _samples() -> Iterator[Sample]:
    if family.slots is None:
        found: list[Metric] = list(RUNNING_SINCE.collect())
    else:
        files = [path for path in family.slots.files() if "gauge_liveall_" in path]
        found = list(merged(files))
    return (s for metric in found if metric.name in INTERNAL for s in metric.samples)


def resident(pid: int) -> int:
    """Give the bytes of memory a process holds; 0 for one that is gone or cannot be seen."""
    with suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE
    return 0
