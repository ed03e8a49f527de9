"""Single processes of a running gateway, and their sudden ends."""

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

from tests.journeys.stack import Stack

KINDS = (
    *("web", "worker", "worker's child", "urgent worker", "beat"),
    *("postgres", "postgres backend", "valkey"),
)
"""What may be killed; an engine by its own name is the server itself."""

SUPERVISORS_NAP = 0.1
"""Seconds until a supervisor has noticed: orphans have so long to do harm."""


def kill_one(stack: Stack, kind: str, chance: random.Random) -> None:
    """End one process of a kind with SIGKILL and start again what a supervisor would."""
    with suppress(ProcessLookupError):
        os.kill(_find(stack, kind, chance), signal.SIGKILL)
    if kind in stack.pids():
        stack.await_end(kind)
    time.sleep(SUPERVISORS_NAP)
    stack.revive()


def _find(stack: Stack, kind: str, chance: random.Random) -> int:
    if kind == "worker's child":
        return chance.choice(children(stack.pid("worker")))
    if kind == "postgres backend":
        return chance.choice(backends(stack))
    return stack.pids()[kind]


def children(parent: int) -> list[int]:
    """Give the living children of a process."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def backends(stack: Stack) -> list[int]:
    """Give the processes of the database that serve our own."""
    with stack.database() as database:
        rows = database.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
    return [pid for (pid,) in rows]
