"""`python -m benchmarks`: measure figures, write `results/latest.jsonl`, print a table.

`ONLY=` chooses figures by the beginning of their name, `ROUNDS=` how often each sender has its
turn, `SCALE=` multiplies what is sent in a turn; `--list` prints the names. Exit code 1 means a
wrong result, 2 a wrong question. A figure whose tools are missing is skipped, in one line.
"""

import os
import signal
import sys
from pathlib import Path

from benchmarks import registry
from benchmarks.figures import Report, table
from benchmarks.machine import describe
from benchmarks.plan import Plan, Unclear, read_plan

LATEST = Path(__file__).parent / "results" / "latest.jsonl"


def main(arguments: list[str]) -> int:
    """Do what was asked and return the exit code."""
    if arguments == ["--list"]:
        print("\n".join(registry.names()))
        return 0
    if arguments:
        print(f"bench: unknown argument {arguments[0]!r}; there is --list", file=sys.stderr)
        return 2
    try:
        plan = read_plan(os.environ)
        chosen = registry.choose(plan.only)
    except Unclear as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 2
    report = Report(LATEST)
    measure(chosen, plan, report)
    print(f"\n{describe()}\n\n{table(report.figures)}")
    return 1 if report.wrong else 0


def measure(chosen: list[registry.Choice], plan: Plan, report: Report) -> None:
    """Let each group measure what was chosen of it; what is done is kept when the rest fails."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        for group, names in chosen:
            report.begin(names)
            group.measure(names, plan, report)
    finally:
        report.write()


def _stop(signum: int, _frame: object) -> None:
    """Turn a signal into an exception, so that what we started is ended with us."""
    sys.exit(128 + signum)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
