"""The machine a figure was measured on, and the two cores that share the work."""

import os
import platform
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("aioapns", "firebase-admin", "uvloop", "orjson")


def describe() -> str:
    """Give one line on date, machine and versions, without the machine's name."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {_processor()}, {os.cpu_count()} vCPU, "
        f"{platform.system()} {platform.release()}, {platform.python_implementation()} "
        f"{platform.python_version()}, {ssl.OPENSSL_VERSION}; {packages}"
    )


def server_core() -> int:
    """Give the core on which servers run that stand in for providers."""
    return min(os.sched_getaffinity(0))


def sender_core() -> int:
    """Give the core on which senders are measured: another, where there is one."""
    return max(os.sched_getaffinity(0))


@contextmanager
def starting_on(core: int) -> Iterator[None]:
    """Have processes started meanwhile run on one core for all their life."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", facts.read_text()) if facts.exists() else None
    return named.group(1) if named else platform.machine()
