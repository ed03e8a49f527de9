"""What it takes to count a segment of a large app, and to stream its devices."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.attempt import attempt
from benchmarks.crowded import crowded
from benchmarks.figures import Report, say, summarise
from benchmarks.plan import Plan
from benchmarks.turns import WrongResult

UNITS = {"segment.count_ms": "ms", "segment.stream_s": "s"}
NAMES = [*UNITS]

PEOPLE = 1_000_000


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report."""
    people = plan.pushes(PEOPLE)
    with attempt("segment", names, report):
        rounds = _rounds(people, plan.rounds)
        for name in names:
            values = [found[name.partition(".")[2]] for found in rounds]
            report.add(summarise(name, values, unit=UNITS[name], n=people))


def _rounds(people: int, rounds: int) -> list[dict[str, Any]]:
    """Settle the people in engines of their own, and let another process look for them."""
    with crowded(people) as crowd:
        reader = [sys.executable, "-m", "benchmarks.segment_reader", str(crowd.app), str(rounds)]
        found = [json.loads(line) for line in crowd.run(reader).splitlines()]
        tenth = crowd.tenth
    for number, said in enumerate(found, 1):
        say(
            f"round {number}/{rounds}  count {said['count_ms']:7.1f} ms"
            f"  stream {said['stream_s']:5.2f} s"
        )
        if (said["counted"], said["streamed"]) != ([tenth] * 3, tenth):
            raise WrongResult(f"of {tenth} {said['counted']} counted, {said['streamed']} streamed")
    return found
