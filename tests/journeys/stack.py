"""The whole gateway as processes of its own: engines, web, workers, tick and simulator.

Like `make run`, but every part can be hurt one by one.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
from redis import Redis

from devstack import programs
from devstack.place import ROOT
from devstack.ports import free_port
from devstack.services import Services
from simulator import launch

PATIENCE = float(os.environ.get("PATIENCE") or 40)
"""Seconds anything may take; a machine that others use needs more."""

APPS_AT_ONCE = 12
SEED = """
import json, sys
from devstack.seed import django, seed
django.setup()
wish = json.load(sys.stdin)
json.dump([seed(wish) for _ in range(int(sys.argv[1]))], sys.stdout)
"""

# short waits, so that what a fault costs shows within a test
TUNING = {
    "GATEWAY_BATCH_SIZE": "100",
    "GATEWAY_BATCH_LEASE": "4",
    "GATEWAY_REQUEST_TIMEOUT": "2",
    "GATEWAY_DATABASE_PATIENCE": "3",
    "GATEWAY_LOG_FORMAT": "text",
}


def wait_until(what: str, holds: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
    """Give the first true answer; fail with the last one where none comes in time."""
    deadline, said = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        if said := holds():
            return said
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true in {seconds:g} s; last: {said!r}")


def exchange(request: urllib.request.Request) -> tuple[int, bytes]:
    """Give status and body of an answer, whatever the status."""
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@dataclass
class Answer:
    """What the gateway said."""

    status: int
    body: Any


class Shimmed(Protocol):
    """Whatever our processes and engines are started under."""

    def environment(self, name: str | None = None) -> dict[str, str]:
        """Give what a process has in its environment; an engine has no name."""


class Stack:
    """One running gateway, reached over HTTP, looked into by SQL.

    Whatever is started is started under `shim`, where one is given. Engines that are `careless`
    forget what was committed last when they are killed.
    """

    folder = ROOT

    def __init__(self, base: Path, shim: Shimmed | None = None, *, careless: bool = True) -> None:
        self.base = base
        self.shim = shim
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.services = Services(base / "engines", ephemeral=True, careless=careless, environ={})
        self.simulator = launch.start(base / "simulator")
        self.control = self.simulator.control
        self.environ: dict[str, str] = {}
        self.app: dict[str, Any] = {}
        self._fresh: list[dict[str, Any]] = []
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}
        self._log = (base / "stack.log").open("ab")

    def start(self) -> None:
        with self._shimmed_engines():
            urls = self.services.start().environment()
        self.environ = {**os.environ, **TUNING, **urls, "SECRET_KEY": "a journey's own secret"}
        self.environ["GATEWAY_METRICS_DIR"] = str(self.base / "metrics")
        self.environ.pop("PGPORT", None)
        subprocess.run(programs.migrate(), check=True, cwd=ROOT, env=self.environ)
        self.run("web", programs.web(self.port))
        self.run("beat", programs.beat())
        self.start_worker()
        self.app = self.new_app()
        wait_until("ready", lambda: self.call("GET", "/readyz", keys=None).status == 200)

    def start_worker(self) -> None:
        self.run("worker", programs.worker())

    def start_urgent_worker(self) -> None:
        self.run("urgent worker", programs.urgent_worker())

    def run(self, name: str, command: list[str], *, log: Path | None = None) -> None:
        """Start a program, to be known by this name; it writes to a log of its own, or to ours."""
        self._commands[name] = command
        with log.open("ab") if log else nullcontext(self._log) as lines:
            self._children[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**self.environ, **(self.shim.environment(name) if self.shim else {})},
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=lines,
                start_new_session=True,
            )

    def end(self, name: str, *, seconds: float = PATIENCE) -> int:
        """Ask a program to end what it is at and go, and give its exit code."""
        child = self._children[name]
        child.terminate()
        code = child.wait(seconds)
        self.kill(name)
        return code

    def pid(self, name: str) -> int:
        """Give the process that was started under this name; it leads a group."""
        return self._children[name].pid

    def pids(self) -> Mapping[str, int]:
        """Give the leading process of everything that runs, engines included."""
        ours = {name: child.pid for name, child in self._children.items()}
        return {
            **ours,
            "postgres": self.engine_pid("postgres"),
            "valkey": self.engine_pid("valkey"),
        }

    def kill(self, name: str) -> None:
        """End a process and all its children at once, as the kernel would for want of memory."""
        child = self._children.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def await_end(self, name: str) -> None:
        """Wait until a process that was killed, or an engine, is really gone."""
        child = self._children.get(name) or getattr(self.services, name)._process
        child.wait(PATIENCE)

    def ended(self) -> list[str]:
        """Give the names of our processes that are there no more."""
        return [name for name, child in self._children.items() if child.poll() is not None]

    def revive(self) -> list[str]:
        """Start what has ended, and give its names: what systemd or a container's runtime do.

        What is left of its group is ended first, as they do too.
        """
        ended = self.ended()
        for name in ended:
            self.kill(name)
            self.run(name, self._commands[name])
        return [*ended, *filter(self._revive_engine, ("valkey", "postgres"))]

    def engine_pid(self, name: str) -> int:
        """Give the process of an engine, `postgres` or `valkey`."""
        process = getattr(self.services, name)._process
        assert process is not None
        return process.pid

    def restart_engine(self, name: str) -> None:
        """Stop an engine under everybody and start it on the same files."""
        engine, guard = getattr(self.services, name), self.services._guard
        assert guard is not None
        engine.stop(guard)
        with self._shimmed_engines():
            engine.launch(guard)
        engine.wait()

    def _revive_engine(self, name: str) -> bool:
        engine = getattr(self.services, name)
        if engine.problem() is None:
            engine.wait()  # Postgres starts itself again where one of its own was killed
            return False
        self.restart_engine(name)
        return True

    @contextmanager
    def _shimmed_engines(self) -> Iterator[None]:
        # an engine is started with what is in our own environment
        extra = self.shim.environment() if self.shim else {}
        os.environ.update(extra)
        try:
            yield
        finally:
            for name in extra:
                del os.environ[name]

    @contextmanager
    def broker_away(self) -> Iterator[None]:
        """Freeze the broker, as a network that drops its packets would."""
        with self.broker() as broker:
            pid = int(broker.info("server")["process_id"])
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def database_frozen(self) -> Iterator[None]:
        """Stop every process of the database where it is: connections stay open and silent."""
        with self.database() as database:
            rows = database.execute("SELECT pid FROM pg_stat_activity").fetchall()
            master = database.execute(
                "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int"
            ).fetchall()
            own = database.info.backend_pid
        pids = [pid for (pid,) in [*master, *rows] if pid != own]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        for child in self._children.values():
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        self.services.stop()
        self.simulator.stop()
        self._log.close()

    def log(self) -> str:
        return (self.base / "stack.log").read_text(errors="replace")

    def new_app(self) -> dict[str, Any]:
        """Give the keys of a fresh app aimed at the simulator."""
        if not self._fresh:
            self._fresh = self._new_apps()
        return self._fresh.pop()

    def _new_apps(self) -> list[dict[str, Any]]:
        # several at once: most of it is the start of the process
        wish = {"name": "Journey", "facts": self.simulator.facts}
        done = subprocess.run(
            [sys.executable, "-c", SEED, str(APPS_AT_ONCE)],
            input=json.dumps(wish),
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=self.environ,
        )
        return json.loads(done.stdout)

    # -- what callers do

    def call(
        self, method: str, path: str, body: Any = None, *, keys: str | None = "server_key"
    ) -> Answer:
        """Call the API with the app's server key, its device key (`secret_key`) or none."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        if keys is not None:
            pair = f"{self.app['api_key']}:{self.app[keys]}".encode()
            request.add_header("Authorization", f"Basic {b64encode(pair).decode()}")
        try:
            status, content = exchange(request)
        except OSError as error:
            return Answer(0, str(error))
        return Answer(status, json.loads(content or b"null"))

    def broadcast(self, **said: Any) -> int:
        """Send to everyone and give the notification's id."""
        answer = self.call(
            "POST", "/notifications", {"broadcast": True, "title": "T", "message": "M", **said}
        )
        assert answer.status == 201, answer
        return int(answer.body["id"])

    def phones(self, count: int, platform: str = "ios", **order: Any) -> None:
        """Register simulated phones over the real device API."""
        before = self.counts()["registered"]
        keys = {"gateway": self.url, **{k: self.app[k] for k in ("api_key", "secret_key")}}
        self.control.post("/phones", {"platform": platform, "count": count, **keys, **order})
        wait_until("registered", lambda: self.counts()["registered"] >= before + count)

    def tokens(self, count: int, transport: str = "apns") -> None:
        """Put devices straight into the database: many, where nobody looks at the phones."""
        topic = self.simulator.facts["apns"]["topic"] if transport == "apns" else ""
        value = "md5('a' || n) || md5('b' || n)" if transport == "apns" else "'fcm' || md5('' || n)"
        with self.database() as database:
            database.execute(
                f"""
                WITH u AS (
                    INSERT INTO crm_user (app_id, uid, anonymous)
                    SELECT %(app)s, '{transport}-' || n, true FROM generate_series(1, %(count)s) n
                    RETURNING id, uid
                ), i AS (
                    INSERT INTO crm_install (app_id, uid, user_id)
                    SELECT %(app)s, uid, id FROM u RETURNING id, uid
                )
                INSERT INTO crm_devicetoken
                       (app_id, install_id, transport, environment, topic, kind, value, state)
                SELECT %(app)s, id, '{transport}', 'production', %(topic)s, 'token', {value},
                       'alive'
                  FROM (SELECT id, split_part(uid, '-', 2) AS n FROM i) named
                """,
                {"app": self.app["id"], "count": count, "topic": topic},
            )

    # -- what an operator sees

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.environ["DATABASE_URL"], autocommit=True) as connection:
            yield connection

    def broker(self) -> Redis:
        return Redis.from_url(self.environ["REDIS_URL"])

    def counts(self) -> dict[str, int]:
        return self.control.get("/phones?limit=0")["counts"]

    def occurrence(self, notification_id: int) -> dict[str, Any]:
        with self.database() as database:
            cursor = database.execute(
                "SELECT * FROM delivery_occurrence WHERE notification_id = %s", [notification_id]
            )
            assert cursor.description
            names = [column.name for column in cursor.description]
            return dict(zip(names, cursor.fetchone() or (), strict=True))

    def ledger(self, notification_id: int) -> dict[str, int]:
        """Count the ledger's own rows, whatever the counters say."""
        with self.database() as database:
            return dict(
                database.execute(
                    """SELECT d.verdict, count(*) FROM delivery_delivery d
                         JOIN delivery_occurrence o ON o.id = d.occurrence_id
                        WHERE o.notification_id = %s GROUP BY d.verdict""",
                    [notification_id],
                ).fetchall()
            )

    def finished(self, notification_id: int, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for the end of a send and give its occurrence, with conservation checked."""

        def over() -> dict[str, Any] | None:
            occurrence = self.occurrence(notification_id)
            self.check_conservation(occurrence)
            return occurrence if occurrence["state"] == "finished" else None

        try:
            occurrence = wait_until("finished", over, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-3000:]}") from None
        counted = {v: occurrence[v] for v in VERDICTS if occurrence[v]}
        assert counted == self.ledger(notification_id)
        assert sum(counted.values()) == occurrence["targeted"]  # pending is 0
        return occurrence

    def check_conservation(self, occurrence: dict[str, Any]) -> None:
        settled = sum(occurrence[v] for v in VERDICTS)
        assert 0 <= settled <= occurrence["targeted"], occurrence


VERDICTS = ("accepted", "rejected", "unregistered", "expired", "cancelled", "capped", "uncertain")
