"""Which figures there are, and which group measures each."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks import (
    endtoend,
    events,
    fanout,
    footprint,
    intake,
    latency,
    pages,
    segments,
    transports,
)
from benchmarks.figures import Report
from benchmarks.plan import Plan, Unclear


class Group(NamedTuple):
    """Figures that are measured together, because they are compared with each other."""

    names: Sequence[str]
    measure: Callable[[Sequence[str], Plan, Report], None]


Choice = tuple[Group, list[str]]

GROUPS = (
    Group(transports.NAMES, transports.measure),
    Group(events.NAMES, events.measure),
    Group(intake.NAMES, intake.measure),
    Group(segments.NAMES, segments.measure),
    Group(fanout.NAMES, fanout.measure),
    Group(endtoend.NAMES, endtoend.measure),
    Group(latency.NAMES, latency.measure),
    Group(pages.NAMES, pages.measure),
    Group(footprint.NAMES, footprint.measure),
)
"""In the order they are measured. A new group is a module with these two, and a line here."""


def names() -> list[str]:
    """Give every figure's name."""
    return [name for group in GROUPS for name in group.names]


def choose(prefix: str) -> list[Choice]:
    """Give the groups with figures whose name begins so, each with those names."""
    chosen = [(group, [n for n in group.names if n.startswith(prefix)]) for group in GROUPS]
    if not any(found for _, found in chosen):
        raise Unclear(f"no figure begins with {prefix!r}; there are {', '.join(names())}")
    return [(group, found) for group, found in chosen if found]
