"""`python -m benchmarks.faults`: one batch under each fault, by us and by the shipped libraries.

`ONLY=` chooses scenarios by the beginning of their name. Prints a table; nothing passes or fails.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.faults.scenarios import SCENARIOS, Scenario
from benchmarks.machine import describe
from benchmarks.turns import ROOT, UNWANTED
from simulator import launch

DEADLINE = 20
SPARE = 20
"""Seconds a sending process has besides, to be loaded."""

HEAD = (
    "provider's fault",
    "sender",
    "pushes",
    "told accepted",
    "told to ask later",
    "told refused",
    "told uncertain",
    "error",
    "never told",
    "taken by the provider",
    "taken twice",
    "requests",
    "seconds",
)


class Line(NamedTuple):
    """What one sender made of one fault."""

    scenario: str
    sender: str
    pushes: int
    accepted: int
    later: int
    refused: int
    uncertain: int
    error: int
    untold: int
    taken: int
    twice: int
    requests: int
    seconds: str


def main() -> None:
    """Run what is chosen, and print the table."""
    chosen = [s for s in SCENARIOS if s.name.startswith(os.environ.get("ONLY", ""))]
    with tempfile.TemporaryDirectory() as folder, launch.start(Path(folder)) as simulator:
        lines = list(_run(chosen, simulator, Path(folder) / "facts.json"))
    print(f"\n{describe()}\n")
    rows = [HEAD, *lines]
    print("\n".join(f"| {' | '.join(map(str, row))} |" for row in rows[:1]))
    print("|---|---|" + "---:|" * (len(HEAD) - 2))
    print("\n".join(f"| {' | '.join(map(str, row))} |" for row in rows[1:]))


def _run(chosen: Sequence[Scenario], simulator: launch.Running, facts: Path) -> Iterator[Line]:
    for scenario in chosen:
        for sender in scenario.senders:
            line = _turn(scenario, sender, simulator, facts)
            print(*line, sep="  ", file=sys.stderr, flush=True)
            yield line


def _turn(scenario: Scenario, sender: str, simulator: launch.Running, facts: Path) -> Line:
    control = simulator.control
    control.post("/connections", {"action": "disconnect"})
    control.post("/reset")
    control.put("/script", scenario.script())
    told, seconds = _send(scenario, sender, facts)
    summary = control.get("/received/summary")
    provider = scenario.name.partition(":")[0]
    words = ("accepted", "later", "refused", "uncertain", "error")
    counts = [told.get(word, 0) for word in words]
    return Line(
        scenario.name,
        sender,
        scenario.pushes,
        *counts,
        scenario.pushes - sum(counts),
        summary["accepted"][provider],
        summary["duplicates"]["by_notification_id"],
        sum(summary["answers"].get(provider, {}).values()),
        seconds,
    )


def _send(scenario: Scenario, sender: str, facts: Path) -> tuple[dict[str, int], str]:
    module = "benchmarks.faults.sender"
    words = [sender, str(scenario.pushes), str(facts), str(DEADLINE)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not UNWANTED.fullmatch(name)},
        timeout=DEADLINE + SPARE,
    )
    if done.returncode or not done.stdout:
        raise SystemExit(f"{sender}: {done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    told: dict[str, int] = said["told"]
    return told, f"{said['seconds']:.1f}" if said["ended"] else f"> {DEADLINE}"


if __name__ == "__main__":
    main()
