"""`sink.c`, built and running: the stand-in for both providers, and what it has counted."""

import hashlib
import json
import os
import selectors
import shutil
import ssl
import struct
import subprocess
import time
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.machine import server_core, starting_on
from simulator.identity.material import Material, material

SOURCE = Path(__file__).with_name("sink.c")
BUILD = Path(__file__).with_name("build")
PACKAGES = "apt-get install gcc libc6-dev libnghttp2-dev libssl-dev"
GOOGLE = ("iamcredentials.googleapis.com",)
"""A host google-auth asks beside the two every certificate of the simulator's names."""

BUILD_DEADLINE = 120
START_DEADLINE = 10
STOP_DEADLINE = 5


class Missing(Exception):
    """A tool is not there; the text says what to install."""


class Counted(NamedTuple):
    """What came in a span of time."""

    pushes: int
    checksum: int
    bytes_in: int
    cpu_us: int


class Sink(NamedTuple):
    """A running sink, and the identity its clients believe."""

    port: int
    lenient_port: int
    """Where messages may be malformed: firebase-admin for Node sends `:scheme: https:`."""
    identity: Material

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self.port}"

    def counted(self) -> Counted:
        """Give what it has counted since it was started."""
        context = ssl.create_default_context(cafile=str(self.identity.ca_file))
        direct = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with direct.open(f"{self.url}/stats", timeout=5) as answer:
            said: dict[str, int] = json.load(answer)
        return Counted(
            pushes=said["apns"] + said["gone"] + said["fcm"],
            checksum=(said["apns_sum"] + said["fcm_sum"]) % 2**64,
            bytes_in=said["bytes_in"],
            cpu_us=said["cpu_us"],
        )


def between(before: Counted, after: Counted) -> Counted:
    """Give what came between two counts."""
    return Counted(
        pushes=after.pushes - before.pushes,
        checksum=(after.checksum - before.checksum) % 2**64,
        bytes_in=after.bytes_in - before.bytes_in,
        cpu_us=after.cpu_us - before.cpu_us,
    )


class Arrivals:
    """When the pushes came, as a sink started with `-a FILE` writes it down."""

    def __init__(self, sink: Sink, file: Path) -> None:
        self._sink = sink
        self._file = file
        self._read = 0

    def news(self, tokens: Collection[int]) -> dict[int, list[int]]:
        """Give the moments, in microseconds since 1970, since this was last asked.

        For each of the tokens, which are known by their last 16 digits, in the order they came.
        """
        self._sink.counted()  # after it the file is whole
        with self._file.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        self._read += len(data)
        moments: dict[int, list[int]] = {token: [] for token in tokens}
        for token, came_at in struct.iter_unpack("=QQ", data):
            if token in moments:
                moments[token].append(came_at)
        return moments


def build() -> Path:
    """Give the program, compiled on first use and whenever its source has changed."""
    if not hasattr(os, "sched_setaffinity"):
        raise Missing("the sink is written for Linux (epoll, pinned cores)")
    mark = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    program = BUILD / f"sink-{mark}"
    if program.exists():
        return program
    if (compiler := shutil.which("cc") or shutil.which("gcc")) is None:
        raise Missing(f"no C compiler: {PACKAGES}")
    BUILD.mkdir(exist_ok=True)
    draft = BUILD / f"{program.name}.{os.getpid()}"
    # newer libnghttp2 prefers other names for two functions; the old ones are there as well
    options = ["-O2", "-Wall", "-Wno-deprecated-declarations", "-o", str(draft), str(SOURCE)]
    done = subprocess.run(
        [compiler, *options, "-lnghttp2", "-lssl", "-lcrypto"],
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_DEADLINE,
    )
    if done.returncode:
        why = next(
            (line for line in done.stderr.splitlines() if "error" in line), "no reason given"
        )
        raise Missing(f"the sink does not compile ({why.rpartition('error: ')[2]}): {PACKAGES}")
    draft.replace(program)
    return program


@contextmanager
def running(*options: str) -> Iterator[Sink]:
    """Have a sink on a free port of the loopback interface, on a core of its own, for a while."""
    program, identity = build(), material(BUILD / "identity", GOOGLE)
    command = [str(program), "-p", "0", "-L", "0", "-c", str(identity.server_file), *options]
    with starting_on(server_core()):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        yield Sink(*_ports(process), identity)
    finally:
        _end(process)


def _ports(process: "subprocess.Popen[bytes]") -> tuple[int, int]:
    """Wait for the line that says where it listens."""
    assert process.stdout is not None
    said, ends_at = b"", time.monotonic() + START_DEADLINE
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not said.endswith(b"\n") and selector.select(max(0, ends_at - time.monotonic())):
            chunk = os.read(process.stdout.fileno(), 4096)
            if not chunk:
                break
            said += chunk
    if not said.endswith(b"\n"):
        raise RuntimeError(f"the sink did not start within {START_DEADLINE} s")
    port, lenient = said.split()[1:]
    return int(port), int(lenient)


def _end(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    try:
        process.wait(STOP_DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_DEADLINE)
    if process.stdout is not None:
        process.stdout.close()
