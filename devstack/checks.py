"""`make check`: everything that can be said about the code without running the suite."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from devstack.lockfiles import lock_problems
from devstack.place import ROOT, Place
from devstack.services import Services

SECONDS = 600
TOOLS = {
    "ruff check": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "mypy": ["-m", "mypy"],
    "imports": ["-c", "from importlinter.cli import lint_imports_command as c; c()"],
}


def check(arguments: list[str]) -> int:
    """Run every check, also after one has failed, and return an exit code.

    Arguments choose checks by the beginning of their name.
    """
    checks: dict[str, Callable[[], bool]] = {"lock files": _locks}
    checks |= {name: partial(_tool, words) for name, words in TOOLS.items()}
    checks["migration rules"] = partial(_tool, ["-m", "devstack.migration_rules"])
    checks["migrations"] = _migrations
    chosen = {
        name: run
        for name, run in checks.items()
        if not arguments or name.startswith(tuple(arguments))
    }
    failed = [name for name, run in chosen.items() if not _timed(name, run)]
    if failed:
        print(f"check: failed: {', '.join(failed)}")
    return 1 if failed or not chosen else 0


def _timed(name: str, run: Callable[[], bool]) -> bool:
    started = time.monotonic()
    good = run()
    verdict = "ok" if good else "FAILED"
    print(f"check: {name:<15} {verdict:<7} {time.monotonic() - started:5.1f} s", flush=True)
    return good


def _locks() -> bool:
    problems = lock_problems(ROOT)
    for problem in problems:
        print(problem)
    return not problems


def _tool(words: list[str], environ: Mapping[str, str] | None = None) -> bool:
    """Run a tool and show its words only where it has something to object."""
    done = subprocess.run(
        [sys.executable, *words],
        check=False,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=SECONDS,
        env=None if environ is None else dict(environ),
    )
    if done.returncode != 0:
        print(done.stdout)
    return done.returncode == 0


def _migrations() -> bool:
    """Look for models without a migration; Django compares with a database's history as well."""
    base = Path(tempfile.mkdtemp(prefix="gateway-check-"))
    with Services(base, ephemeral=True) as urls:
        environ = Place(base).environment(urls.environment())
        return _tool(["manage.py", "makemigrations", "--check", "--dry-run"], environ)
