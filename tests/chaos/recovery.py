"""How long the gateway took to be itself again, measured by every scenario, told in one table."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from statistics import median
from typing import Any

from tests.journeys.stack import PATIENCE, Stack, wait_until

HEAD = (
    "scenario",
    "rounds",
    "pushes",
    "first push, s",
    "all ended, s",
    "doubled",
    "replayed",
    "uncertain",
)


@dataclass(frozen=True)
class Recovery:
    """One fault got over; both times count from its end."""

    scenario: str
    pushes: int
    first: float | None
    end: float
    doubled: int
    replayed: int
    uncertain: int


measured: list[Recovery] = []
"""What this run of the suite has seen."""


def accepted(stack: Stack) -> int:
    """Count what the providers have taken."""
    return sum(stack.control.get("/received/summary")["accepted"].values())


def doubled(stack: Stack) -> int:
    """Count what the providers have taken once more."""
    return stack.control.get("/received/summary")["duplicates"]["by_notification_id"]


def recover(
    stack: Stack, scenario: str, *notifications: int, seconds: float = PATIENCE
) -> list[dict[str, Any]]:
    """Wait for the end of these sends, now that a fault is over, and give their occurrences.

    Conservation is checked at every look, and that no more was taken twice than was counted.
    """
    began, before = time.monotonic(), accepted(stack)
    firsts: list[float] = []

    def over() -> bool:
        if not firsts and accepted(stack) > before:
            firsts.append(time.monotonic() - began)
        looks = [stack.occurrence(notification) for notification in notifications]
        for occurrence in looks:
            stack.check_conservation(occurrence)
        return all(occurrence["state"] == "finished" for occurrence in looks)

    wait_until(f"{scenario}: all finished", over, seconds=seconds)
    end = time.monotonic() - began
    occurrences = [stack.finished(notification) for notification in notifications]
    found = Recovery(
        scenario,
        pushes=sum(o["targeted"] for o in occurrences),
        first=firsts[0] if firsts else None,
        end=end,
        doubled=doubled(stack),
        replayed=sum(o["replayed"] for o in occurrences),
        uncertain=sum(o["uncertain"] for o in occurrences),
    )
    measured.append(found)
    print(found)  # noqa: T201 - as it comes, with `-s`: a long run may be cut
    assert found.doubled <= found.replayed, found
    return occurrences


def table() -> str:
    """Give what was measured, a row for each scenario: medians, and the worst in brackets."""
    by_name = sorted(measured, key=attrgetter("scenario"))
    rows = [HEAD, *(_row(name, list(of)) for name, of in groupby(by_name, attrgetter("scenario")))]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    lines = [
        "| " + " | ".join(w.ljust(n) for w, n in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (n + 2) for n in widths) + "|")
    return "\n".join(lines)


def _row(name: str, of: list[Recovery]) -> tuple[str, ...]:
    firsts = [r.first for r in of if r.first is not None]
    counts = ("doubled", "replayed", "uncertain")
    return (
        name,
        str(len(of)),
        str(sum(r.pushes for r in of)),
        _times(firsts),
        _times([r.end for r in of]),
        *(_most(map(attrgetter(count), of)) for count in counts),
    )


def _times(seconds: list[float]) -> str:
    if not seconds:
        return "-"
    middle = f"{median(seconds):.1f}"
    return middle if len(seconds) == 1 else f"{middle} ({max(seconds):.1f})"


def _most(counts: Iterator[int]) -> str:
    each = list(counts)
    return str(each[0]) if len(each) == 1 else f"{sum(each)} ({max(each)})"
