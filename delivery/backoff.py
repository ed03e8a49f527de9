"""How long to wait before asking a provider again; pure."""

import math
import random
from collections.abc import Iterable, Sequence
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


def together(
    asked: Iterable[tuple[int, float | None]], *, ours: timedelta
) -> Sequence[tuple[timedelta, Sequence[int]]]:
    """Sort tokens by the seconds their provider wants to be left alone, into few groups.

    All of a group wait for its longest wish, and for `ours` at least. Nobody waits for twice what
    they would have to: wishes of one group are within a factor of two.
    """
    groups: dict[int, list[tuple[int, float]]] = {}
    for token_id, wish in asked:
        wait = wish or 0.0
        shorter = wait <= ours.total_seconds()
        rung = 0 if shorter else math.ceil(math.log2(wait / FIRST.total_seconds())) + 64
        groups.setdefault(rung, []).append((token_id, wait))
    return [
        (
            max(ours, timedelta(seconds=max(w for _, w in group))),
            [token_id for token_id, _ in group],
        )
        for _, group in sorted(groups.items())
    ]
