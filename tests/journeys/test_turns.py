"""Many apps, one worker: who sends to few is not kept waiting by who sends to many."""

import pytest

from devstack import programs
from tests.journeys.stack import wait_until

LARGE, SMALL, BATCH = 4_000, 200, 100

A_FEW = 4 * programs.PROCESSES
"""Batches of the large one: in hand when the other is asked for and when it is planned, and one
beside each of its own, with as many to spare; were apps not served in turn it would be all."""

MEANWHILE = """
SELECT count(*) FROM delivery_delivery d
  JOIN delivery_occurrence large ON large.id = d.occurrence_id AND large.notification_id = %s
  JOIN delivery_occurrence small ON small.notification_id = %s
 WHERE d.at BETWEEN small.created_at AND small.finished_at
"""


@pytest.fixture
def slow(stack):
    """Have every answer take a while: a large broadcast lasts some seconds."""
    rule = {"match": {}, "action": {"delay_ms": 400}}
    stack.control.put("/script", {"rules": [rule]})
    return stack


def test_a_broadcast_of_one_app_does_not_keep_another_apps_waiting(slow):
    large_app, small_app = slow.app, slow.new_app()
    for slow.app, tokens in ((small_app, SMALL), (large_app, LARGE)):
        slow.tokens(tokens)
    large = slow.broadcast()
    wait_until("under way", lambda: slow.occurrence(large)["accepted"] > 0)

    slow.app = small_app
    small = slow.broadcast()

    assert slow.finished(small)["accepted"] == SMALL
    assert slow.finished(large)["accepted"] == LARGE
    with slow.database() as database:
        [(meanwhile,)] = database.execute(MEANWHILE, [large, small]).fetchall()
    assert 0 < meanwhile <= A_FEW * BATCH < LARGE - BATCH * programs.PROCESSES
