"""When the next connection may be opened."""

import random

from .policy import Policy


class Backoff:
    """Doubling waits with jitter, after connections that failed or ended before they were of use.

    Connecting again and again looks like abuse to Apple, so a GOAWAY on every connection must not
    become a loop either.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.strikes = 0
        self.not_before = 0.0

    def strike(self, now: float) -> None:
        """Take note of a failure."""
        wait = min(
            self._policy.backoff_cap, self._policy.backoff_first * 2 ** min(self.strikes, 32)
        )
        self.strikes += 1
        # jitter only, nothing secret
        self.not_before = now + wait * random.uniform(0.5, 1.0)  # noqa: S311

    def pause(self, now: float) -> None:
        """Take note of an end that was no failure, but came early: wait, though no longer."""
        self.strikes = 0
        self.strike(now)

    def clear(self) -> None:
        """Take note that a connection was of use."""
        self.strikes = 0
        self.not_before = 0.0
