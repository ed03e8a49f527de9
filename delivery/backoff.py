"""How long to wait before asking a provider again; pure."""

import random
from datetime import timedelta

FIRST = timedelta(seconds=10)
MOST = timedelta(minutes=60)
SPREAD = 0.2


def backoff(attempt: int, *, at_least: float = 0.0) -> timedelta:
    """Give the wait after the `attempt`-th try: 10 s, doubled each time, ±20 %, at most an hour.

    `at_least` is the provider's own wish in seconds; it floors the wait, never shortens it.
    The figures are ours where Google's page leaves them open (contracts/providers §2.4).
    """
    doubled = min(FIRST * (1 << min(attempt - 1, 16)), MOST)
    spread = doubled * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - no secret
    return max(spread, timedelta(seconds=at_least))
