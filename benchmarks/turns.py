"""One turn of one sender: a process on the senders' core, and the sink's word on what it sent."""

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import workload
from benchmarks.machine import sender_core, starting_on
from benchmarks.sink import Sink, between
from delivery.providers.contract import Transport

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


class Task(NamedTuple):
    """What a sender has to do in its turn, to warm up and then."""

    name: str
    transport: Transport
    n: int
    warm: int

    def tokens(self) -> tuple[list[str], list[str]]:
        """Give the device tokens of the warming up, and those of the turn."""
        warm = workload.addresses(self.transport, self.warm, salt="warm")
        return warm, workload.addresses(self.transport, self.n)


def python_turn(sink: Sink, task: Task, python: str = sys.executable) -> Turn:
    """Give one sender of `benchmarks.senders` its turn, in its own Python where it has one."""
    words = [task.name, str(task.n), str(task.warm), str(sink.port), str(sink.identity.directory)]
    return turn_of([python, "-m", "benchmarks.senders", *words], sink, task)


def turn_of(
    command: Sequence[str],
    sink: Sink,
    task: Task,
    *,
    said: str = "",
    environ: Mapping[str, str] | None = None,
) -> Turn:
    """Have a program take a turn, and hold what it tells in the end against the sink's count."""
    n, warm = task.n, task.warm
    before = sink.counted()
    text, _ = run(command, said=said, environ=environ)
    told = json.loads(text.splitlines()[-1])
    sank = between(before, sink.counted())
    if (told["accepted"], told["warmed"]) != (n, warm):
        raise WrongResult(
            f"{told['accepted']} of {n} accepted, {told['warmed']} of {warm} before that"
        )
    sent = [token for tokens in task.tokens() for token in tokens]
    check(Expected(len(sent), workload.checksum(sent)), Expected(sank.pushes, sank.checksum))
    return Turn(
        cpu_us=told["cpu_seconds"] / n * 1e6,
        rate=n / told["wall_seconds"],
        sink_cpu_us=sank.cpu_us / sank.pushes,
        bytes_each=sank.bytes_in / sank.pushes,
    )


def run(
    command: Sequence[str], *, said: str = "", environ: Mapping[str, str] | None = None
) -> tuple[str, float]:
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
                env=kept | dict(environ or {}),
                input=said,
                timeout=DEADLINE,
            )
    except subprocess.TimeoutExpired:
        raise WrongResult(f"not done in {DEADLINE} s") from None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or not done.stdout:
        last = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise WrongResult(f"exit code {done.returncode}: {last[-1][:200]}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, cpu


def check(expected: Expected, counted: Expected) -> None:
    """Refuse a turn in which not every token came exactly once."""
    if counted.pushes != expected.pushes:
        raise WrongResult(f"the sink got {counted.pushes} pushes of {expected.pushes}")
    if counted.checksum != expected.checksum:
        raise WrongResult("the sink got other tokens, or some twice and others never")
