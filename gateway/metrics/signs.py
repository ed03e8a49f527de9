"""Whether a worker or a tick is alive in more than name: its pulse, and what hangs on it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from time import monotonic

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.metrics.family import family
from gateway.metrics.processes import longest_task

SILENT_AFTER = 15.0
"""Seconds without a pulse after which a process is not ready: it beats once a second."""

GRACE = timedelta(seconds=15)
"""What a task may take beyond its limit before the process that runs it is taken for stuck."""


class Pulse(Collector):
    """The last time something that must go on forever went on."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._began_at = monotonic()

    def beat(self, *_: object) -> None:
        """Go on."""
        self._last = monotonic()

    @property
    def age(self) -> float:
        """Seconds since it last did, or since the process began."""
        return monotonic() - (self._began_at if self._last is None else self._last)

    def collect(self) -> Iterator[Metric]:
        """Give its age."""
        yield GaugeMetricFamily(
            "gateway_pulse_age_seconds",
            "Seconds since this worker listened to its broker, or this tick rang, last.",
            value=self.age,
        )


pulse = Pulse()
"""The one of this process."""


def check_pulse() -> str:
    """Say how long the process has been silent, where that is too long."""
    age = pulse.age
    return f"silent for {age:.0f} s" if age > SILENT_AFTER else ""


def check_tasks() -> str:
    """Say how long a process has been at a task it should have been stopped at."""
    limit, age = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT) + GRACE, longest_task()
    return f"a task has been running for {age:.0f} s" if age > limit.total_seconds() else ""


def check_children() -> str:
    """Say that there is nobody to run tasks: this process holds one slot itself."""
    if family.slots is None:
        return ""
    return "" if len(family.slots.living()) > 1 else "no process runs tasks"


WORKER: Mapping[str, Callable[[], str]] = {
    "broker": check_pulse,
    "tasks": check_tasks,
    "processes": check_children,
}
TICK: Mapping[str, Callable[[], str]] = {"beat": check_pulse}
