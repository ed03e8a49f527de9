"""What Apple said when it ended a connection."""

import time

from delivery.providers.wire import GoAway


class Farewell:
    """What Apple said when it last ended a connection, while that may still explain something."""

    MEMORY = 60.0

    def __init__(self) -> None:
        self._heard: GoAway | None = None
        self._heard_at = 0.0

    def hear(self, goaway: GoAway) -> None:
        """Take note of a GOAWAY and of the time."""
        self._heard, self._heard_at = goaway, time.monotonic()

    def recent(self, last: GoAway | None) -> str:
        """Give the words of the last GOAWAY; one not heard yet has only just come."""
        if last is None:
            return ""
        old = last is self._heard and time.monotonic() - self._heard_at > self.MEMORY
        return "" if old else str(last)
