"""How each of the gateway's own processes is started in development."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from devstack.ports import HOST, is_free

# root in a container is no news here, and a banner is no log line
UNMOVED = ["-W", "ignore:You're running the worker with superuser"]
PROCESSES = 3 * (os.cpu_count() or 1)
"""Of a worker: while some wait for a provider's answers another has work for the core."""

MANNERS = ["nice", "-n", "15"]
"""A broadcast takes what is left of the cores: pushes to one person, and asks, go before it."""

QUIET = ["--without-gossip", "--without-mingle"]
CELERY = [sys.executable, *UNMOVED, "-m", "celery", "--quiet", "-A", "gateway"]


def migrate() -> list[str]:
    """Bring the database to this checkout's schema."""
    return [sys.executable, "manage.py", "migrate", "--no-input", "--skip-checks", "-v0"]


def simulator(folder: Path, ports: Mapping[str, int]) -> list[str]:
    """Apple and Google, where they were the last time: an open page of phones finds them again."""
    wanted = {name: ports.get(name, 0) for name in ("apns", "fcm", "control")}
    free = {name: port if is_free(port) else 0 for name, port in wanted.items()}
    places = [word for name, port in free.items() for word in (f"--{name}-port", str(port))]
    return [sys.executable, "-m", "simulator", "--dir", str(folder), *places]


def web(port: int) -> list[str]:
    """One worker, eight threads: the least CPU per request of what was measured."""
    place = ["--interface", "wsgi", "--host", HOST, "--port", str(port), "--no-ws"]
    size = ["--workers", "1", "--blocking-threads", "8", "--backlog", "1024"]
    quiet = ["--no-access-log", "--log-level", "error", "--workers-kill-timeout", "5"]
    return [sys.executable, "-m", "granian", *place, *size, *quiet, "gateway.wsgi:application"]


def worker(processes: int = PROCESSES) -> list[str]:
    """Prefork processes that look into `urgent` first, then into `planning`, then into `bulk`."""
    size = ["--pool", "prefork", "--concurrency", str(processes)]
    size += ["--queues", "urgent,planning,bulk"]
    return [*MANNERS, *CELERY, "worker", *size, *QUIET]


def urgent_worker() -> list[str]:
    """Two processes more that look into `urgent` alone: they have no batch of a broadcast in hand.

    One is not enough where all cores are busy: a push takes it tens of milliseconds there.
    """
    size = ["--pool", "prefork", "--concurrency", "2", "--queues", "urgent"]
    # no two workers of a machine share a name
    return [*CELERY, "worker", *size, *QUIET, "--hostname", "urgent@%h"]


def beat() -> list[str]:
    """The clock behind the one-second tick."""
    return [*CELERY, "beat", "--pidfile", ""]
