"""What a sending process is told, and what it tells when it is done."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from simulator.identity.material import Material

Send = Callable[[Sequence[str]], int]
"""Sends to all of these tokens and gives the number accepted."""


class Job(NamedTuple):
    """Where to send, and as whom."""

    port: int
    identity: Material

    @property
    def url(self) -> str:
        """The server's address."""
        return f"https://127.0.0.1:{self.port}"


class Done(NamedTuple):
    """One turn of a sender, as measured from inside it."""

    accepted: int
    cpu_seconds: float
    wall_seconds: float
