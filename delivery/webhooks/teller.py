"""The threads that tell: beside a worker's pushes, never in their way.

A receiver may take seconds to answer. A task that waited for it would keep a worker process from
pushing, so a task only says "look now", and threads of that process do the waiting. They end with
their work, and a process that ends takes them along: their leases run out, and others follow.
"""

import logging
import threading
from collections.abc import Callable

from django.db import Error, connection

from delivery.webhooks.telling import tell_next

log = logging.getLogger(__name__)

THREADS = 4
"""Receivers one worker process waits for at once."""


class Teller:
    """A few threads of this process, as long as there is something to tell."""

    def __init__(self, tell: Callable[[], bool] = tell_next, *, threads: int = THREADS) -> None:
        self._tell, self._most = tell, threads
        self._lock = threading.Lock()
        self._running: set[threading.Thread] = set()

    def wake(self) -> None:
        """Have one more thread look, up to the most there may be."""
        with self._lock:
            if len(self._running) < self._most:
                thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
                self._running.add(thread)
                thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until all are done; False where some are not by then."""
        with self._lock:
            running = list(self._running)
        for thread in running:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in running)

    def _run(self) -> None:
        try:
            while self._tell():
                self._share()
        except Error as fault:
            log.warning("webhooks wait for the database: %s", type(fault).__name__)
        except Exception:
            log.exception("a webhook could not be told")
        finally:
            connection.close()
            with self._lock:
                self._running.discard(threading.current_thread())

    def _share(self) -> None:
        """Have another look, too: where there was something there is often more."""
        self.wake()
