"""Several at once: threads with connections of their own against the real database."""

import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from django.db import connection

PATIENCE = 20.0


def at_once(*works: Callable[[], object]) -> list[object]:
    """Run each in a thread of its own, begin together, and give what they gave or raised."""
    start, given = threading.Barrier(len(works)), dict.fromkeys(range(len(works)))

    def run(number: int) -> None:
        with closing(connection):
            try:
                connection.ensure_connection()
                start.wait(PATIENCE)
                given[number] = works[number]()
            except Exception as error:  # noqa: BLE001 - the test looks at it
                given[number] = error

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    return list(given.values())


def wait_until_somebody_waits() -> None:
    """Return as soon as a connection waits for a lock another one has."""
    ends_at = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        while time.monotonic() < ends_at:
            cursor.execute("SELECT FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() is not None:
                return
    pytest.fail("nobody waited for a lock")
