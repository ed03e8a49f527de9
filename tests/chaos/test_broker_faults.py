"""The broker forgets, ends, hangs or hangs up. It is a doorbell: it costs seconds, not pushes."""

import time

import pytest

from tests.chaos.broadcast import IN_FLIGHT, LONG, PUSHES, ROUNDS, in_mid_broadcast
from tests.chaos.recovery import accepted, recover

pytestmark = pytest.mark.chaos

FROZEN_SECONDS = 10 if LONG else 2
RESTARTS = 30 if LONG else 3
BETWEEN = 2.0
"""Seconds in which whoever was hung up on connects again, and has a ring in hand."""


def check_each_sent_once(stack, scenario, *notifications, pushes=PUSHES):
    for occurrence in recover(stack, scenario, *notifications):
        assert occurrence["accepted"] == pushes
        assert occurrence["replayed"] == 0
    assert accepted(stack) == len(notifications) * pushes


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_broker_flushed_while_batches_wait_costs_seconds(stack, _round):
    notification = in_mid_broadcast(stack)

    with stack.broker() as broker:
        broker.flushall()

    [occurrence] = recover(stack, "broker flushed", notification)
    assert occurrence["accepted"] == accepted(stack) == PUSHES
    assert occurrence["replayed"] == 0


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_broker_that_comes_back_empty_loses_nothing(stack, _round):
    notification = in_mid_broadcast(stack)

    with stack.broker() as broker:
        broker.flushall()
    stack.restart_engine("valkey")
    meanwhile = stack.broadcast()

    check_each_sent_once(stack, "broker restarted, empty", notification, meanwhile)


def test_what_is_asked_while_the_broker_hangs_is_stored_and_sent(stack):
    notification = in_mid_broadcast(stack)

    with stack.broker_away():
        meanwhile = stack.broadcast()
        time.sleep(FROZEN_SECONDS)

    check_each_sent_once(stack, "broker frozen", notification, meanwhile)


def test_a_broker_that_hangs_up_on_everybody_loses_nothing(stack):
    notification = in_mid_broadcast(stack)

    with stack.broker() as broker:
        for kind in ("normal", "pubsub"):
            broker.client_kill_filter(_type=kind, skipme=True)

    [occurrence] = recover(stack, "broker connections cut", notification)
    assert occurrence["accepted"] == accepted(stack) == PUSHES
    assert occurrence["replayed"] == 0


def test_a_broker_that_restarts_again_and_again_ends_no_worker(stack):
    """With a ring in hand, one in ten restarts was one too many for a worker."""
    notifications = [in_mid_broadcast(stack, pushes=IN_FLIGHT)]

    for _ in range(RESTARTS):
        stack.restart_engine("valkey")
        notifications.append(stack.broadcast())
        time.sleep(BETWEEN)
        assert stack.ended() == []

    scenario = "broker restarted again and again"
    check_each_sent_once(stack, scenario, *notifications, pushes=IN_FLIGHT)
