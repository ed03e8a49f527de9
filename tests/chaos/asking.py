"""What callers go on asking for while something is hurt, and what they were told."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from tests.journeys.stack import Answer, Stack

EVERY = 0.1


def schedule_broadcast(stack: Stack, *, seconds: float) -> int:
    """Send to everyone in a few seconds: the API takes minutes, the row is brought forward."""
    at = datetime.now(UTC) + timedelta(days=1)
    schedule = {"strategy": "utc", "sendAt": f"{at:%Y-%m-%d %H:%M}", "pastTimes": "ignore"}
    notification = stack.broadcast(scheduled=True, schedule=schedule)
    with stack.database() as database:
        database.execute(
            "UPDATE delivery_occurrence SET due_at = now() + make_interval(secs => %s),"
            " ledger_day = current_date WHERE notification_id = %s",
            [seconds, notification],
        )
    return notification


def push_to_one(stack: Stack, number: int) -> Answer:
    """Push to one of the installs `Stack.tokens` has made."""
    ask = {"installIds": [f"fcm-{number}"], "title": "T", "message": "to one"}
    return stack.call("POST", "/notifications", ask)


@contextmanager
def one_to_one(stack: Stack) -> Iterator[list[Answer]]:
    """Push to single installs, one after the other, until the block ends; gives the answers."""
    answers: list[Answer] = []
    over = False

    def ask() -> None:
        while not over:
            answers.append(push_to_one(stack, 1 + len(answers)))
            time.sleep(EVERY)

    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(ask)
        try:
            yield answers
        finally:
            over = True
            asking.result()


def stored(stack: Stack) -> list[int]:
    """Give the app's notifications, oldest first, whatever their callers were told."""
    with stack.database() as database:
        rows = database.execute(
            "SELECT id FROM delivery_notification WHERE app_id = %s ORDER BY id", [stack.app["id"]]
        ).fetchall()
    return [number for (number,) in rows]
