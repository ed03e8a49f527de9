"""Engines of a benchmark's own, migrated: what everything that is measured stands on."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import run
from benchmarks.sink import Missing
from benchmarks.turns import UNWANTED
from devstack import programs
from devstack.services import Services

# a benchmark is the flood that limits are for; being counted is part of what is measured
UNLIMITED = {f"GATEWAY_{door}_RATE": "1000000" for door in ("SERVER", "DEVICE", "SESSION")}


@dataclass(frozen=True)
class Engines:
    """A Postgres and a broker, and the environment in which the gateway's programs find them."""

    base: Path
    environ: dict[str, str]
    pids: dict[str, int]

    @classmethod
    @contextmanager
    def running(cls, *, careless: bool) -> Iterator["Engines"]:
        """Have both for a while; careless ones do not sync to disk."""
        if not Path("/proc/self/stat").exists():
            raise Missing("what a process costs is read from /proc, which Linux has")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            base = Path(folder)
            services = Services(base / "engines", ephemeral=careless, environ={})
            with services as urls:
                kept = {k: v for k, v in os.environ.items() if not UNWANTED.fullmatch(k)}
                environ = {
                    **kept,
                    **urls.environment(),
                    **UNLIMITED,
                    "SECRET_KEY": "of a benchmark",
                }
                run(programs.migrate(), environ)
                pids = {"postgres": _pid(services.postgres), "broker": _pid(services.valkey)}
                yield cls(base, environ, pids)

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return self.environ["DATABASE_URL"]

    def new_app(self) -> dict[str, Any]:
        """Give the keys of a fresh app."""
        make = [sys.executable, "manage.py", "create_app", "Bench", "--json"]
        app: dict[str, Any] = json.loads(run(make, self.environ))
        return app


def _pid(engine: Any) -> int:
    assert engine
    assert engine._process  # noqa: SLF001 - whose CPU we count
    return int(engine._process.pid)  # noqa: SLF001
