"""A caller that lost its answer asks again under its idempotency key, whatever happened."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chaos.asking import stored
from tests.journeys.stack import wait_until

pytestmark = pytest.mark.chaos

ASK = {"broadcast": True, "title": "T", "message": "M"}


def finished(answer):
    """Give an answer that is one; a caller asks again for as long as there is none."""
    return answer if answer.status == 201 else None


def test_an_ask_answered_500_while_the_database_hangs_may_be_asked_again_under_its_key(stack):
    ask = {**ASK, "idempotencyKey": "order-1"}

    def answered():
        return finished(stack.call("POST", "/notifications", ask))

    with stack.database_frozen():
        assert stack.call("POST", "/notifications", ask).status == 500

    answer = wait_until("answered", answered)
    assert stored(stack) == [answer.body["id"]]
    assert stack.call("POST", "/notifications", ask) == answer


def test_a_web_server_killed_in_the_middle_doubles_nothing_that_has_a_key(stack):
    asks = [{**ASK, "idempotencyKey": f"order-{number}"} for number in range(40)]

    def answered(ask):
        return wait_until("answered", lambda: finished(stack.call("POST", "/notifications", ask)))

    with ThreadPoolExecutor(8) as callers:
        answers = [callers.submit(answered, ask) for ask in asks]
        wait_until("some are stored", lambda: len(stored(stack)) >= len(asks) // 4)
        os.killpg(stack.pid("web"), signal.SIGKILL)
        stack.await_end("web")
        stack.revive()
        ids = [answer.result().body["id"] for answer in answers]
    assert stored(stack) == sorted(ids)
    assert len(set(ids)) == len(asks)
