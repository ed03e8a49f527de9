"""The engine of `settings.DATABASES`; Django looks for its wrapper in a module of this name."""

import select
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is known to be alive without a round trip for each request."""

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
