"""What Celery's tasks come to: counted where they run."""

from time import monotonic

from prometheus_client import Counter, Histogram

from delivery import context
from gateway.metrics.processes import RUNNING_SINCE

TASKS = Counter("gateway_tasks", "Tasks run, by how they ended.", ["task", "state"])
TASK_SECONDS = Histogram(
    "gateway_task_seconds",
    "Time a task ran.",
    ["task"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)

_began_at = 0.0


def begin(name: str) -> None:
    """Note that this process is at a task from now on."""
    global _began_at  # noqa: PLW0603 - a process runs one at a time
    _began_at = monotonic()
    RUNNING_SINCE.labels("task").set(_began_at)
    context.mention(task=name)


def end(name: str, state: str) -> None:
    """Note that it is done, and how it ended: SUCCESS or FAILURE, as Celery has it."""
    TASKS.labels(name, state.lower()).inc()
    TASK_SECONDS.labels(name).observe(monotonic() - _began_at)
    RUNNING_SINCE.labels("task").set(0)
    context.forget()


def begin_with(names: list[str]) -> None:
    """Show the tasks there are as run 0 times."""
    for name in names:
        for state in ("success", "failure"):
            TASKS.labels(name, state)
    RUNNING_SINCE.labels("task").set(0)
