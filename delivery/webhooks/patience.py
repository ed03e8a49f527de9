"""How long to wait before a webhook is tried again, and when no more; pure."""

import random
from datetime import timedelta

WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        *(5, 15, 60, 5 * 60, 30 * 60),
        *(hours * 3600 for hours in (1, 2, 5, 10, 14, 20, 24)),
    )
)
"""After the first failure, the second and so on: 13 tries in a little over three days."""

MOST = WAITS[-1]
SPREAD = 0.1
NARROWER = 10
"""By how much the next request is smaller, where what was sent may be the reason."""


def wait_after(failures: int, *, wish: float | None) -> timedelta | None:
    """Give the wait after so many failures in a row, a receiver's wish heeded; None: no more."""
    if failures > len(WAITS):
        return None
    ours = WAITS[failures - 1] * random.uniform(1, 1 + SPREAD)  # noqa: S311 - no secret
    wanted = timedelta(seconds=min(wish or 0.0, MOST.total_seconds()))
    return max(ours, wanted)
