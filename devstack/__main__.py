"""`python -m devstack COMMAND`: what the Makefile's commands do inside the environment."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

from devstack.attach import engines, running_stack
from devstack.checks import check
from devstack.errors import StackError
from devstack.place import ROOT, Place
from devstack.ports import read_port
from devstack.reset import reset
from devstack.supervisor import Stack
from devstack.terminal import Terminal

# one more than there are cores: a third of the time tests wait for processes they started
PROCESSES = min(4, 1 + (os.cpu_count() or 1))
SEVERAL = ("-n", str(PROCESSES), "--dist", "loadgroup", "--no-loadscope-reorder", "-m", "not long")
FUZZED = ("tests/fuzz", "tests/delivery/providers/wire/test_wire_against_h2.py")


def run(arguments: list[str]) -> int:
    """Bring the whole gateway up and stay with it."""
    from devstack.demo import prepare  # noqa: PLC0415 - no other command needs it

    port = read_port(arguments[0] if arguments else os.environ.get("PORT") or "8000")
    return Stack(place=Place(), port=port, prepare=prepare, terminal=Terminal()).run()


def test(arguments: list[str]) -> int:
    """Run the suite in several processes, or what the arguments choose of it in one.

    What is marked `long` is left to `make chaos`, unless the arguments choose it.
    """
    shared = os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")  # by all of them
    become(["-m", "pytest", *(arguments or ([] if shared else SEVERAL))])


def chaos(arguments: list[str]) -> int:
    """Run the fault suite at full length, and whole deployments."""
    os.environ["CHAOS"] = "long"
    become(["-m", "pytest", "-m", "chaos or long", *arguments])


def soak(arguments: list[str]) -> int:
    """Run a mixed load with faults for a while and count everything."""
    become(["-m", "tests.chaos.soak", *arguments])


def faults(arguments: list[str]) -> int:
    """Send under each fault of a provider, beside the shipped libraries."""
    become(["-m", "benchmarks.faults", *arguments])


def fuzz(arguments: list[str]) -> int:
    """Try every route and the wire with thousands of made-up calls and conversations."""
    os.environ.setdefault("FUZZ_EXAMPLES", "400")
    become(["-m", "pytest", *FUZZED, *arguments])


def audit(arguments: list[str]) -> int:
    """Look up what we depend on in an advisory service."""
    from devstack import audits  # noqa: PLC0415 - no other command needs it

    return audits.audit(arguments)


def secrets(arguments: list[str]) -> int:
    """Look for secrets in every file git keeps."""
    from devstack import audits  # noqa: PLC0415 - no other command needs it

    return audits.secrets(arguments)


def bench(arguments: list[str]) -> int:
    """Measure the figures."""
    become(["-m", "benchmarks", *arguments])


def manage(arguments: list[str]) -> int:
    """Run a management command on the development data."""
    with engines(Place()) as environ:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], check=False, cwd=ROOT, env=environ
        ).returncode


def drop(_arguments: list[str]) -> int:
    """Drop the development data."""
    print(reset(Place()))
    return 0


def demo(arguments: list[str]) -> int:
    """Push to simulated phones and check every count."""
    from devstack.demo import rehearse  # noqa: PLC0415 - no other command needs it

    with running_stack(Place()) as facts:
        return rehearse(facts, arguments)


def become(words: list[str]) -> NoReturn:
    """Turn into another Python program, so that signals and the exit code are its own."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - no shell is wanted


def usage(_arguments: list[str]) -> int:
    """Say which commands there are."""
    for name, command in COMMANDS.items():
        print(f"{name:<8} {(command.__doc__ or '').splitlines()[0]}")
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "run": run,
    "test": test,
    "check": check,
    "bench": bench,
    "demo": demo,
    "chaos": chaos,
    "soak": soak,
    "faults": faults,
    "fuzz": fuzz,
    "audit": audit,
    "secrets": secrets,
    "manage": manage,
    "reset": drop,
    "help": usage,
}


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code; what keeps it from running is one clear line."""
    name, *rest = arguments or ["help"]
    if (command := COMMANDS.get(name)) is None:
        usage([])
        return 2
    try:
        return command(rest)
    except StackError as problem:
        print(f"{name}: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
