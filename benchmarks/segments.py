"""What it takes to count a segment of a large app, and to stream its devices."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.attempt import attempt
from benchmarks.crowd import settle
from benchmarks.figures import Report, say, summarise
from benchmarks.plan import Plan
from benchmarks.turns import ROOT, UNWANTED, WrongResult
from devstack import programs
from devstack.services import Services

UNITS = {"segment.count_ms": "ms", "segment.stream_s": "s"}
NAMES = [*UNITS]

PEOPLE = 1_000_000
DEADLINE = 900


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
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        services = Services(base / "engines", ephemeral=True, environ={})
        urls = stack.enter_context(services)
        environ = {
            **{k: v for k, v in os.environ.items() if not UNWANTED.fullmatch(k)},
            **urls.environment(),
            "SECRET_KEY": "of a benchmark",
            "DJANGO_SETTINGS_MODULE": "gateway.settings",
        }
        _run(programs.migrate(), environ)
        made = _run([sys.executable, "manage.py", "create_app", "Bench", "--json"], environ)
        app = json.loads(made)["id"]
        say(f"settling {people:,} people")
        with psycopg.connect(urls.database_url, autocommit=True) as database:
            tenth = settle(database, app=app, people=people)
        reader = [sys.executable, "-m", "benchmarks.segment_reader", str(app), str(rounds)]
        found = [json.loads(line) for line in _run(reader, environ).splitlines()]
    for number, said in enumerate(found, 1):
        say(
            f"round {number}/{rounds}  count {said['count_ms']:7.1f} ms"
            f"  stream {said['stream_s']:5.2f} s"
        )
        if (said["counted"], said["streamed"]) != ([tenth] * 3, tenth):
            raise WrongResult(f"of {tenth} {said['counted']} counted, {said['streamed']} streamed")
    return found


def _run(command: Sequence[str], environ: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environ,
        timeout=DEADLINE,
    )
    if done.returncode:
        raise WrongResult((done.stderr.strip().splitlines() or [f"{command} failed"])[-1])
    return done.stdout
