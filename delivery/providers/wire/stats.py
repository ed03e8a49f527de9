"""What a pool can tell about itself."""

from dataclasses import dataclass

from .exchange import GoAway


@dataclass(slots=True)
class Tally:
    """Counts since the pool was made."""

    opened: int = 0
    failed: int = 0
    refused: int = 0
    goaways: int = 0
    pings_lost: int = 0
    resent_unsent: int = 0
    last_goaway: GoAway | None = None
    last_failure: str = ""


@dataclass(frozen=True, slots=True)
class Stats:
    """One moment of a pool."""

    connections: int
    in_flight: int
    sends: int
    """Calls of `send` under way."""
    opened: int
    """Connections that became usable, in total."""
    failed: int
    """Attempts that did not."""
    refused: int
    """Streams the server refused."""
    goaways: int
    pings_lost: int
    resent_unsent: int
    """Provably unsent requests that were quietly sent again."""
    last_goaway: GoAway | None
    last_failure: str
    """Why the last connection attempt, or the last connection, ended badly."""
