"""Counts of what happened below the requests: connections, streams, breaches of protocol."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Traffic:
    """What one listener has seen since the last reset."""

    connections_opened: int = 0
    connections_open: int = 0
    max_streams_seen: int = 0
    streams_refused: int = 0
    streams_cancelled: int = 0  # reset by the client before they were answered
    violations: int = 0
    last_violations: deque[str] = field(default_factory=lambda: deque(maxlen=50))

    def violated(self, connection: int, what: str) -> None:
        """Note that a client broke the protocol or a limit."""
        self.violations += 1
        self.last_violations.append(f"connection {connection}: {what}")

    def reset(self) -> None:
        """Start counting again; living connections stay counted as open."""
        self.connections_opened = self.max_streams_seen = self.violations = 0
        self.streams_refused = self.streams_cancelled = 0
        self.last_violations.clear()

    def as_json(self) -> dict[str, Any]:
        """Return the counts for the control API."""
        return {
            "connections_opened": self.connections_opened,
            "connections_open": self.connections_open,
            "max_streams_seen": self.max_streams_seen,
            "streams_refused": self.streams_refused,
            "streams_cancelled": self.streams_cancelled,
            "violations": self.violations,
            "last_violations": list(self.last_violations),
        }
