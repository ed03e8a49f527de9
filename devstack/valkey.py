"""A Valkey (or Redis) of our own on a unix socket."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from devstack import binaries, processes
from devstack.errors import StackError
from devstack.guard import Guard

if TYPE_CHECKING:
    import subprocess

READY_SECONDS = 30


class Valkey:
    """One server: its data in `home`, its socket in `run_dir`, gone when `stop` returns."""

    def __init__(self, *, home: Path, run_dir: Path, careless: bool) -> None:
        self.data = home / "valkey"
        self.log = home / "valkey.log"
        self.socket = run_dir / "redis.sock"
        self._careless = careless
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address in the spelling of REDIS_URL."""
        return f"unix://{self.socket}?db=0"

    def launch(self, guard: Guard) -> None:
        """Start the server, ending what an earlier start may have left."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        processes.end_leftovers(self.data, (), signal.SIGTERM)
        self.socket.unlink(missing_ok=True)
        with self.log.open("wb") as log:
            self._process = processes.spawn(
                self._command(),
                output=log.fileno(),
                farewell=signal.SIGTERM,
                environ=os.environ,
                folder=self.data,
            )
        guard.watch(self._process.pid, signal.SIGTERM)

    def wait(self) -> None:
        """Return once the server has loaded its data and answers."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if (problem := self.problem()) is not None:
                raise StackError(problem)
            if time.monotonic() > deadline:
                raise StackError(f"valkey is not ready after {READY_SECONDS} s; see {self.log}")
            time.sleep(0.02)

    def problem(self) -> str | None:
        """Return what went wrong when the server is not running any more."""
        if self._process is None or self._process.poll() is None:
            return None
        status = self._process.returncode
        return f"valkey ended with status {status}:{processes.last_lines(self.log)}"

    def stop(self, guard: Guard) -> None:
        """Stop the server; harmless when it does not run."""
        if self._process is None:
            return
        processes.end(self._process, (signal.SIGTERM, 10))
        guard.forget(self._process.pid)
        self._process = None

    def kill(self) -> None:
        """End the server at once, without collecting it."""
        if self._process is not None:
            processes.signal_group(self._process.pid, signal.SIGKILL)

    def _command(self) -> list[str]:
        # a queue must survive a restart, and a full server must refuse rather than forget
        keep = ["--appendonly", "no" if self._careless else "yes", "--save", ""]
        place = ["--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        program = str(binaries.valkey_server())
        return [program, *place, *keep, "--maxmemory-policy", "noeviction", "--daemonize", "no"]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            try:
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False
