"""The limit: h2load of nghttp2, a C program that sends the same request as fast as HTTP/2 goes."""

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

from benchmarks import workload
from benchmarks.sink import BUILD, Counted, Missing, Sink, between
from benchmarks.turns import Expected, Task, Turn, WrongResult, check, run
from delivery.providers.contract import Transport
from delivery.providers.fcm import payload as fcm
from simulator.identity.material import TOPIC

PACKAGE = "apt-get install nghttp2-client"
TOKENS = 1000
"""Distinct device tokens for APNs; h2load begins again after the last. For FCM all is one body."""

PUSH_ID = "5f0c2d8e-7a5b-4b7e-9f53-2f3f5a6d7e8f"
JWT_SIZE = 184  # of an ES256 token with Apple's claims
ACCESS_TOKEN_SIZE = 68  # of the sink's


class Question(NamedTuple):
    """What h2load is to send: its arguments, and the tokens it names, over and over."""

    words: Sequence[str]
    tokens: Sequence[str]


class Run(NamedTuple):
    """What one run of h2load took."""

    cpu_seconds: float
    wall_seconds: float
    counted: Counted


def turn(sink: Sink, task: Task) -> Turn:
    """Give h2load its turn: one connection, 1,000 streams, one thread.

    It has no warm-up that ends by count, so what a run of `warm` pushes costs is taken off a longer
    one: what is left is `n` pushes without start and handshake.
    """
    n, warm = task.n, task.warm
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        ask = _apns if task.transport is Transport.APNS else _fcm
        question = ask(sink, Path(folder))
        short, long = _run(sink, question, warm), _run(sink, question, warm + n)
    return Turn(
        cpu_us=(long.cpu_seconds - short.cpu_seconds) / n * 1e6,
        rate=(warm + n) / long.wall_seconds,
        sink_cpu_us=long.counted.cpu_us / long.counted.pushes,
        bytes_each=long.counted.bytes_in / long.counted.pushes,
    )


def program() -> str:
    """Give the path of h2load, or say how to get it."""
    if (path := shutil.which("h2load")) is None:
        raise Missing(f"no h2load: {PACKAGE}")
    return path


def _apns(sink: Sink, folder: Path) -> Question:
    tokens, push = workload.addresses(Transport.APNS, TOKENS), workload.apns_push(TOPIC)
    body, uris = folder / "body.json", folder / "uris.txt"
    body.write_bytes(push.body)
    uris.write_text("".join(f"{sink.url}/3/device/{token}\n" for token in tokens))
    fields = {
        "apns-topic": TOPIC,
        "apns-push-type": push.push_type,
        "apns-priority": push.priority,
        "apns-expiration": push.expiration,
        "apns-collapse-id": push.collapse_id,
        "apns-id": PUSH_ID,
        "authorization": f"bearer {'x' * JWT_SIZE}",
    }
    return Question([*_options(body, fields), "-i", str(uris)], tokens)


def _fcm(sink: Sink, folder: Path) -> Question:
    tokens = workload.addresses(Transport.FCM, 1)
    rendered = fcm.render(workload.push_by(Transport.FCM, ""), now=datetime.now(UTC))
    body = folder / "body.json"
    body.write_bytes(rendered.body_for(tokens[0]))
    fields = {
        "content-type": "application/json",
        "x-goog-api-format-version": "2",
        "authorization": f"Bearer {'x' * ACCESS_TOKEN_SIZE}",
    }
    url = f"{sink.url}/v1/projects/{workload.PROJECT}/messages:send"
    return Question([*_options(body, fields), url], tokens)


def _options(body: Path, fields: Mapping[str, object]) -> list[str]:
    words = ["-c", "1", "-m", "1000", "-t", "1", "-d", str(body)]
    for name, value in fields.items():
        words += ["-H", f"{name}: {value}"]
    return words


def _run(sink: Sink, question: Question, n: int) -> Run:
    before = sink.counted()
    text, cpu = run([program(), "-n", str(n), *question.words])
    counted = between(before, sink.counted())
    succeeded = re.search(r"status codes: (\d+) 2xx", text)
    took = re.search(r"finished in ([\d.]+)(m?s)", text)
    if succeeded is None or took is None or int(succeeded.group(1)) != n:
        raise WrongResult(f"h2load: {text.strip().splitlines()[-1]}")
    expected = workload.checksum(islice(cycle(question.tokens), n))
    check(Expected(n, expected), Expected(counted.pushes, counted.checksum))
    wall = float(took.group(1)) * (0.001 if took.group(2) == "ms" else 1)
    return Run(cpu, wall, counted)
