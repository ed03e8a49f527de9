"""The engine of `settings.DATABASES`; Django looks for its wrapper in a module of this name."""

import select
import sys
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.db.backends.postgresql import base, schema

MIGRATION_PATIENCE = 3.0
"""Seconds a migration waits for a lock: whoever comes after it waits as long."""


class SchemaEditor(schema.DatabaseSchemaEditor):
    """Changes tables others are working on: it gives up where it would hold them up for long.

    What is done concurrently has all the time it needs: nobody waits for it.
    """

    def __enter__(self) -> Self:
        """Bound the wait for locks for as long as the transaction lasts."""
        super().__enter__()
        if self.atomic_migration and not self.collect_sql:
            milliseconds = int(1000 * MIGRATION_PATIENCE)
            self.execute(f"SET LOCAL lock_timeout = {milliseconds}", None)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do what was put off, foreign keys for one, and end the transaction if that fails, too."""
        if exc_type is None:
            try:
                while self.deferred_sql:
                    self.execute(self.deferred_sql.pop(0), None)
            except BaseException:
                super().__exit__(*sys.exc_info())
                raise
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is known to be alive without a round trip for each request."""

    SchemaEditorClass = SchemaEditor

    def get_connection_params(self) -> dict[str, Any]:
        """Give Django's own, and whether a statement may be kept prepared on the server."""
        prepare_threshold = 0 if settings.PREPARED_STATEMENTS else None
        return {**super().get_connection_params(), "prepare_threshold": prepare_threshold}

    def is_usable(self) -> bool:
        """Say whether the connection can be used, without asking where the server was silent.

        A server that goes says so, and whatever else breaks a connection ends its socket. One that
        is frozen would not answer a question either; `DATABASE_PATIENCE` is for that.
        """
        living = self.connection
        if living is not None and not living.closed and not _was_spoken_to(living.fileno()):
            return True
        return super().is_usable()


def _was_spoken_to(socket: int) -> bool:
    ear = select.poll()
    ear.register(socket, select.POLLIN)
    return bool(ear.poll(0))
