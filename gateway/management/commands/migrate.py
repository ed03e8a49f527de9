"""`manage.py migrate`: Django's own, on a gateway that is running."""

import time
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

TRIES = 20
PAUSE = 3.0
"""Seconds everybody else has between two tries."""


class Command(migrate.Command):
    """Apply migrations one process at a time, again and again where somebody holds a table.

    A migration waits for a lock for a few seconds only (gateway.database). What was applied stays
    applied, so the next try goes on from there.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate."""
        with connections[options["database"]].cursor() as cursor:
            # two machines deploying at once; it ends with this connection
            cursor.execute("SELECT pg_advisory_lock(hashtext('manage.py migrate'))")
        try:
            self._patiently(*args, **options)
        finally:
            with connections[options["database"]].cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('manage.py migrate'))")

    def _patiently(self, *args: Any, **options: Any) -> None:
        for left in reversed(range(TRIES)):
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                if not left or not isinstance(error.__cause__, LockNotAvailable):
                    raise
                self.stdout.write(f"\n  somebody holds a table; trying again in {PAUSE:g} s")
                time.sleep(PAUSE)
            else:
                return
