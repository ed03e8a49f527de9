"""Engines of a benchmark's own, with one app and a crowd of people in it."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.crowd import settle
from benchmarks.figures import say
from benchmarks.processes import run
from benchmarks.turns import UNWANTED
from devstack import programs
from devstack.services import Services

DEADLINE = 1800


@dataclass(frozen=True, kw_only=True)
class Crowded:
    """A database with an app in it; of `tenth` people the crowd's rule is true."""

    app: int
    tenth: int
    database: psycopg.Connection
    environ: Mapping[str, str]

    def run(self, command: Sequence[str]) -> str:
        """Run a program on it to its end, and give what it printed."""
        return run(command, self.environ, seconds=DEADLINE)


@contextmanager
def crowded(people: int) -> Iterator[Crowded]:
    """Settle the people, and take everything down in the end."""
    with tempfile.TemporaryDirectory(prefix="bench-") as base:
        services = Services(Path(base) / "engines", ephemeral=True, environ={})
        with services as urls:
            environ = {
                **{k: v for k, v in os.environ.items() if not UNWANTED.fullmatch(k)},
                **urls.environment(),
                "SECRET_KEY": "of a benchmark",
                "GATEWAY_REQUIRE_SECOND_FACTOR": "0",
                "DJANGO_SETTINGS_MODULE": "gateway.settings",
                "GATEWAY_LOG_LEVEL": "ERROR",
            }
            run(programs.migrate(), environ, seconds=DEADLINE)
            named = [sys.executable, "manage.py", "create_app", "Bench", "--json"]
            made = run(named, environ, seconds=DEADLINE)
            app = json.loads(made)["id"]
            say(f"settling {people:,} people")
            with psycopg.connect(urls.database_url, autocommit=True) as database:
                tenth = settle(database, app=app, people=people)
                yield Crowded(app=app, tenth=tenth, database=database, environ=environ)
