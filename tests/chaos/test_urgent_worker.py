"""A worker that hears urgent work alone: pushes to few go out whatever the others are at."""

import os
import signal
import time
from contextlib import contextmanager

import pytest

from tests.chaos.asking import push_to_one
from tests.chaos.victims import children

pytestmark = [pytest.mark.chaos, pytest.mark.long]

HEARD_NO_MORE = 2.0
"""Seconds after which the broker has given up on a listener that is frozen."""


@contextmanager
def frozen(parent):
    """Stop a worker and all its processes where they are."""
    family = [parent, *children(parent)]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)


def test_a_push_to_one_goes_out_while_no_other_worker_moves(stack):
    stack.tokens(1, "fcm")
    stack.tokens(5, "apns")

    with frozen(stack.pid("worker")):
        time.sleep(HEARD_NO_MORE)
        everybody = stack.broadcast()
        urgent = stack.finished(int(push_to_one(stack, 1).body["id"]))
        waiting = stack.occurrence(everybody)["state"]

    assert urgent["accepted"] == 1
    assert waiting == "due"  # it takes no part in what is bulk
    assert stack.finished(everybody)["accepted"] == 6
