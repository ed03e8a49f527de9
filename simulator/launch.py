"""Start a simulator of one's own and talk to it; nothing but the standard library."""

import json
import os
import selectors
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
START_DEADLINE = 30.0
STOP_DEADLINE = 5.0
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ControlError(RuntimeError):
    """The control API refused; the text carries its words."""


@dataclass(frozen=True)
class Control:
    """The control API, one call at a time."""

    url: str
    timeout: float = 30.0

    def get(self, path: str) -> Any:
        """Return the answer to a GET."""
        return self._call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        """Return the answer to a POST."""
        return self._call("POST", path, body)

    def put(self, path: str, body: Any = None) -> Any:
        """Return the answer to a PUT."""
        return self._call("PUT", path, body)

    def delete(self, path: str) -> Any:
        """Return the answer to a DELETE."""
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  # our own http address
            self.url + path, data, {"content-type": "application/json"}, method=method
        )
        try:
            with NO_PROXY.open(request, timeout=self.timeout) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                words = error.read().decode(errors="replace")
            raise ControlError(f"{method} {path}: {error.code} {words}") from None


@dataclass
class Running:
    """A simulator that was started, until it is stopped."""

    process: "subprocess.Popen[bytes]"
    facts: dict[str, Any]
    control: Control

    def stop(self) -> int:
        """Stop it, by force if it takes too long, and return its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait(STOP_DEADLINE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start(directory: Path, **ports: int) -> Running:
    """Start a simulator keeping its files in `directory`, and return once it listens.

    `ports` may name `apns_port`, `fcm_port` and `control_port`; any free one otherwise. Its error
    output goes to `simulator.log` in the directory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "simulator", "--dir", str(directory)]
    for name, port in ports.items():
        command += [f"--{name.replace('_', '-')}", str(port)]
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    log_file = directory / "simulator.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        )
    if not _listening(process, time.monotonic() + START_DEADLINE):
        Running(process, {}, Control("")).stop()
        last = log_file.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the simulator did not start: {last}")
    facts = json.loads((directory / "facts.json").read_text())
    return Running(process, facts, Control(facts["control_url"]))


def _listening(process: "subprocess.Popen[bytes]", deadline: float) -> bool:
    """Wait for the line that says so; false when the process ends or time runs out."""
    assert process.stdout is not None
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                return False
            chunk = os.read(process.stdout.fileno(), 4096)
            said += chunk
            if b"listening " in said and said.endswith(b"\n"):
                return True
            if not chunk:
                return False
    return False
