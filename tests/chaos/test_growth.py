"""Workers come and go in mid-broadcast: they share its work, and whoever leaves loses nothing."""

import re
import time
from collections import Counter
from contextlib import suppress

import pytest

from devstack import programs
from tests.chaos.broadcast import script
from tests.chaos.recovery import accepted, doubled, recover
from tests.journeys.stack import Stack, wait_until

pytestmark = pytest.mark.chaos

PROCESSES = 2
"""Of each worker: three of them are as much as two cores can carry."""

PUSHES = 4_000
BATCH = 20
"""Small: what a slow provider is sent while a worker starts does not exhaust the broadcast."""

LEAST_SHARE = 1 / 3
"""Of two equal workers, each does this much of their work at least."""

SENT = re.compile(r"batch \d+ of occurrence \d+ by \w+: (.*) in \d+ ms")


class Workers:
    """Workers, each with a log of its own, which says what it has sent."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.logs = {}

    def start(self, name: str) -> None:
        log = self.logs[name] = self.stack.base / f"{name}-{time.monotonic_ns()}.log"
        command = [*programs.worker(PROCESSES), "--hostname", f"{name}@%h"]
        self.stack.run(name, command, log=log)

    def ready(self, name: str) -> bool:
        return " ready." in self.logs[name].read_text()

    def answers(self, name: str) -> Counter[str]:
        """Give by verdict what the providers answered to one worker, as its own log tells."""
        told = SENT.findall(self.logs[name].read_text())
        counted = Counter[str]()
        for count, verdict in (pair.split() for said in told for pair in said.split(", ")):
            counted[verdict] += int(count)
        return counted

    def sent(self) -> dict[str, int]:
        return {name: self.answers(name)["accepted"] for name in self.logs}


@pytest.fixture
def workers(stack, monkeypatch):
    """Have no worker at all, and the usual one again afterwards."""
    stack.kill("worker")
    monkeypatch.setitem(stack.environ, "GATEWAY_BATCH_SIZE", str(BATCH))
    workers = Workers(stack)
    try:
        yield workers
    finally:
        for name in workers.logs:
            with suppress(KeyError):  # gone already
                stack.kill(name)
        monkeypatch.undo()
        stack.start_worker()


def test_workers_share_one_broadcast_and_come_and_go_in_the_middle_of_it(stack, workers):
    for name in ("first", "second"):
        workers.start(name)
    wait_until("ready", lambda: all(map(workers.ready, workers.logs)))
    stack.tokens(PUSHES // 2, "apns")
    stack.tokens(PUSHES // 2, "fcm")
    script(stack, {"action": {"delay_ms": 600}})
    broadcast = stack.broadcast()
    wait_until("in mid-broadcast", lambda: sum(workers.sent().values()) > 0)

    # one more, and what the two had shared by then
    workers.start("third")
    wait_until("the third at work", lambda: workers.sent()["third"] > 0)
    shared = workers.sent()
    assert sum(shared.values()) >= 8 * BATCH  # enough to compare
    assert stack.occurrence(broadcast)["state"] == "sending"
    for name in ("first", "second"):
        assert shared[name] > LEAST_SHARE * (shared["first"] + shared["second"]), shared

    # one that is told to go ends what it is at
    assert stack.end("second") == 0
    settled = workers.sent()
    assert stack.occurrence(broadcast)["state"] == "sending"
    assert stack.occurrence(broadcast)["replayed"] == 0

    # one that is killed is followed by the others
    wait_until("on its way", lambda: workers.sent()["third"] > settled["third"])
    stack.kill("third")
    assert stack.occurrence(broadcast)["state"] == "sending"
    script(stack)

    [occurrence] = recover(stack, "workers come and go", broadcast)
    assert occurrence["accepted"] == PUSHES
    assert accepted(stack) - PUSHES == doubled(stack)
    assert doubled(stack) <= occurrence["replayed"] <= BATCH * PROCESSES
    # what the logs lack, the killed one had under way
    assert PUSHES - BATCH * PROCESSES <= sum(workers.sent().values()) <= PUSHES
