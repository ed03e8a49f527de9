"""`make run`: everything up in order, every word prefixed, and nothing left when it ends."""

import signal
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from devstack import programs
from devstack.children import Child, Children
from devstack.errors import StackError
from devstack.greeting import greeting
from devstack.guard import Guard
from devstack.locking import PlaceLock
from devstack.place import ROOT, Place, make_private, read_json, write_json
from devstack.ports import HOST, check_port
from devstack.schema import rewritten, schema_mark
from devstack.services import Services
from devstack.terminal import Terminal

MIGRATE_SECONDS = 120
SIMULATOR_SECONDS = 30
PROBE_SECONDS = 60
ONE_PRESS = 0.5  # seconds; make, timeout and a terminal may each pass on the same Ctrl-C

Facts = dict[str, Any]
Prepare = Callable[[dict[str, str], Facts, str], Facts]


class Stop(BaseException):
    """Somebody asked us to stop; like KeyboardInterrupt it is nobody's error to handle."""


class Stack:
    """The whole gateway on this machine, at `http://127.0.0.1:<port>`.

    `prepare` is given the environment, the simulator's facts and our address once the gateway
    answers; what it returns becomes demo.json.
    """

    def __init__(self, *, place: Place, port: int, prepare: Prepare, terminal: Terminal) -> None:
        self.url = f"http://{HOST}:{port}"
        self._place = place
        self._port = port
        self._prepare = prepare
        self._terminal = terminal
        self._lock = PlaceLock(place.lock)
        self._services = Services(place.base)
        self._guard: Guard | None = None
        self._children: Children | None = None
        self._environ: dict[str, str] = {}
        self._asked_at: float | None = None

    def run(self) -> int:
        """Bring everything up, stay until told to stop or something dies; return an exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        try:
            self._up()
            self._stay()
        except Stop:
            self._terminal.say("stack", "stopping; once more to kill")
        except StackError as problem:
            self._terminal.say("stack", str(problem))
            return 1
        finally:
            self._down()
        return 0

    def _up(self) -> None:
        make_private(self._place.base)
        self._lock.acquire()
        check_port(self._port)
        self._place.forget_addresses()
        self._guard = guard = Guard()
        for path in (self._place.demo, self._place.addresses):
            guard.remove(path)
        self._children = children = Children(self._terminal, guard)
        self._environ = self._place.environment({})
        ports = read_json(self._place.ports)
        simulator = programs.simulator(self._place.simulator, ports)
        phones = self._start(children, "simulator", simulator)
        with self._terminal.step("postgres and valkey"):
            urls = self._services.start().environment()
        self._environ = self._place.environment(urls)
        self._start(children, "web", programs.web(self._port))  # it asks the database later
        self._migrate(children, urls["DATABASE_URL"])
        worker = self._start(children, "worker", programs.worker())
        self._start(children, "urgent", programs.urgent_worker())
        self._start(children, "beat", programs.beat())
        with self._terminal.step("simulator"):
            facts = self._facts(children, phones)
        with self._terminal.step("web"):
            self._probe(children, "/healthz")
            self._probe(children, "/readyz")
        with self._terminal.step("demo app"):
            prepared = self._prepare(self._environ, facts, self.url)
        with self._terminal.step("worker"):
            children.wait_for(lambda: worker.said(" ready."), seconds=PROBE_SECONDS, what="worker")
        write_json(self._place.addresses, urls | {"SECRET_KEY": self._environ["SECRET_KEY"]})
        write_json(self._place.demo, prepared)
        for line in greeting(prepared, urls):
            self._terminal.say("stack", line)
        self._terminal.plain(f"READY {self.url}")

    def _stay(self) -> None:
        assert self._children is not None
        while True:
            self._children.pump(0.5)
            self._children.check()
            if (problem := self._services.problem()) is not None:
                raise StackError(problem)

    def _down(self) -> None:
        """Stop everything, clients before servers; a second request to stop kills."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        started = time.monotonic()
        if self._children is not None:
            self._children.stop()
        self._services.stop()
        if self._guard is not None:
            self._place.forget_addresses()
            self._guard.close()
            self._terminal.say("stack", f"stopped in {time.monotonic() - started:.1f} s")
        self._lock.release()

    def _asked_to_stop(self, _signum: int, _frame: object) -> None:
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            raise Stop
        if now - self._asked_at > ONE_PRESS:
            if self._children is not None:
                self._children.kill()
            self._services.kill()

    def _start(self, children: Children, name: str, command: list[str]) -> Child:
        return children.start(name, command, environ=self._environ, folder=ROOT)

    def _migrate(self, children: Children, database_url: str) -> None:
        """Bring the schema up to date, or skip a second of Django where it surely is."""
        known, mark = read_json(self._place.schema), schema_mark(ROOT, database_url)
        if known and known == mark:
            return
        if changed := rewritten(known, mark):
            raise StackError(
                f"this data was made by another form of {', '.join(changed)}; "
                "`make reset` drops it, or go back to the checkout that made it"
            )
        with self._terminal.step("migrations"):
            children.run(
                "migrate",
                programs.migrate(),
                environ=self._environ,
                folder=ROOT,
                seconds=MIGRATE_SECONDS,
            )
        write_json(self._place.schema, schema_mark(ROOT, database_url) or {})

    def _facts(self, children: Children, simulator: Child) -> Facts:
        """Wait for the simulator to say where it listens; facts of an earlier run do not count."""
        path = self._place.simulator / "facts.json"
        children.wait_for(
            lambda: path.is_file() and path.stat().st_mtime >= simulator.started_at,
            seconds=SIMULATOR_SECONDS,
            what="simulator",
        )
        facts = read_json(path)
        urls = {name: facts[f"{name}_url"] for name in ("apns", "fcm", "control")}
        write_json(self._place.ports, {name: urlsplit(url).port or 0 for name, url in urls.items()})
        return facts

    def _probe(self, children: Children, path: str) -> None:
        answers = Answers(self._port, path)
        try:
            children.wait_for(answers.good, seconds=PROBE_SECONDS, what=path)
        except StackError as problem:
            raise StackError(f"{problem}; {path} last answered: {answers.last}") from None


class Answers:
    """What one path of the web server says, until it says 200."""

    def __init__(self, port: int, path: str) -> None:
        self.last = "nothing"
        self._port = port
        self._path = path

    def good(self) -> bool:
        """Ask once; True when the answer is 200."""
        connection = HTTPConnection(HOST, self._port, timeout=5)
        try:
            connection.request("GET", self._path)
            answer = connection.getresponse()
            self.last = f"{answer.status} {answer.read(500).decode(errors='replace')}"
        except (OSError, HTTPException) as error:
            self.last = str(error)
            return False
        finally:
            connection.close()
        return answer.status == 200
