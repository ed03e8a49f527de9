"""One turn of one sender: a process on the senders' core, and the sink's word on what it sent."""

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import sender_core, starting_on
from benchmarks.sink import Sink, between

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 320  # a little more than a sender gives itself
UNWANTED = re.compile(
    r".*_proxy|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_(FILE|DIR)|GOOGLE_.*|FIREBASE_.*"
    r"|SSLKEYLOGFILE|PYTHON(WARNINGS|DEVMODE|ASYNCIODEBUG|TRACEMALLOC)",
    re.IGNORECASE,
)
"""Variables that would send a client elsewhere or change what it costs."""


class WrongResult(Exception):
    """A sender lost pushes, sent some twice, or did not finish; the text says which."""


class Turn(NamedTuple):
    """What a turn came to."""

    cpu_us: float
    rate: float
    sink_cpu_us: float
    bytes_each: float

    @property
    def sink_load(self) -> float:
        """How busy the sink was, of 1; near 1 it was the sink that set the rate."""
        return self.sink_cpu_us * self.rate / 1e6

    def __str__(self) -> str:
        return (
            f"{self.cpu_us:8.2f} us/push {self.rate:9,.0f}/s  {self.bytes_each:4.0f} B/push  "
            f"sink {self.sink_load:.2f} busy"
        )


class Expected(NamedTuple):
    """What a server has to have counted after a turn."""

    pushes: int
    checksum: int


def python_turn(sink: Sink, name: str, n: int, warm: int, expected: Expected) -> Turn:
    """Give one sender of `benchmarks.senders` its turn."""
    words = [name, str(n), str(warm), str(sink.port), str(sink.identity.directory)]
    before = sink.counted()
    text, _ = run([sys.executable, "-m", "benchmarks.senders", *words])
    said = json.loads(text.splitlines()[-1])
    sank = between(before, sink.counted())
    if (said["accepted"], said["warmed"]) != (n, warm):
        raise WrongResult(
            f"{said['accepted']} of {n} accepted, {said['warmed']} of {warm} before that"
        )
    check(expected, Expected(sank.pushes, sank.checksum))
    return Turn(
        cpu_us=said["cpu_seconds"] / n * 1e6,
        rate=n / said["wall_seconds"],
        sink_cpu_us=sank.cpu_us / sank.pushes,
        bytes_each=sank.bytes_in / sank.pushes,
    )


def run(command: Sequence[str]) -> tuple[str, float]:
    """Run a program to its end on the senders' core; give its output and its CPU seconds."""
    kept = {name: value for name, value in os.environ.items() if not UNWANTED.fullmatch(name)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        with starting_on(sender_core()):
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                cwd=ROOT,
                env=kept,
                stdin=subprocess.DEVNULL,
                timeout=DEADLINE,
            )
    except subprocess.TimeoutExpired:
        raise WrongResult(f"not done in {DEADLINE} s") from None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or not done.stdout:
        last = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise WrongResult(f"exit code {done.returncode}: {last[-1]}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, cpu


def check(expected: Expected, counted: Expected) -> None:
    """Refuse a turn in which not every token came exactly once."""
    if counted.pushes != expected.pushes:
        raise WrongResult(f"the sink got {counted.pushes} pushes of {expected.pushes}")
    if counted.checksum != expected.checksum:
        raise WrongResult("the sink got other tokens, or some twice and others never")
