"""The whole gateway for a while: engines that sync, web, workers and tick, aimed at a sink."""

import json
import os
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import workload
from benchmarks.engines import Engines
from benchmarks.processes import cpu_seconds, peak_mib, run, served, started
from benchmarks.sink import Sink
from benchmarks.turns import WrongResult
from devstack import programs
from simulator.identity.material import TOPIC
from simulator.identity.service_accounts import new_account

OURS = "gateway.wsgi:application"
WARM_UP = 20.0

# no two apps share one; none begins with "dead": to the sink that is a phone that is gone
TOKENS = """
WITH u AS (
    INSERT INTO crm_user (app_id, uid, anonymous)
    SELECT %(app)s, 'u' || n, true FROM generate_series(1, %(count)s) n RETURNING id, uid
), i AS (
    INSERT INTO crm_install (app_id, uid, user_id) SELECT %(app)s, uid, id FROM u RETURNING id, uid
)
INSERT INTO crm_devicetoken
       (app_id, install_id, transport, environment, topic, kind, value, state)
SELECT %(app)s, id, CASE WHEN n %% 2 = 0 THEN 'apns' ELSE 'fcm' END, 'production',
       CASE WHEN n %% 2 = 0 THEN %(topic)s ELSE '' END, 'token',
       CASE WHEN n %% 2 = 0 THEN '0' || substr(md5('a' || own) || md5('b' || own), 2)
            ELSE md5('c' || own) || ':APA91b' || md5('d' || own) || md5('e' || own) END, 'alive'
  FROM (SELECT id, substr(uid, 2)::int AS n, %(app)s || uid AS own FROM i) numbered
"""

COUNTED = (
    *("targeted", "accepted", "rejected", "unregistered", "expired", "uncertain", "replayed"),
    *("finished_at", "created_at"),
)


class Gateway:
    """One running gateway, asked over HTTP and looked into by SQL."""

    def __init__(self, *, port: int, pids: Mapping[str, int], engines: Engines) -> None:
        self._port = port
        self._pids = pids
        self.database = psycopg.connect(engines.database_url, autocommit=True)
        self._engines = engines

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["Gateway"]:
        """Have one, as `make run` starts its parts."""
        with ExitStack() as stack:
            engines = stack.enter_context(Engines.running(careless=False))
            environ = {**engines.environ, "GATEWAY_LOG_LEVEL": "WARNING"}
            port, web = stack.enter_context(served(OURS, environ))
            pids = {
                "web": web,
                "worker": stack.enter_context(started(programs.worker(), environ)),
                "urgent": stack.enter_context(started(programs.urgent_worker(), environ)),
                "tick": stack.enter_context(started(programs.beat(), environ)),
                **engines.pids,
            }
            gateway = cls(port=port, pids=pids, engines=engines)
            stack.callback(gateway.database.close)
            yield gateway

    def cpu(self) -> dict[str, float]:
        """Give the CPU seconds each kind of process has taken; the urgent worker is one of them."""
        taken = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        return {**taken, "worker": taken["worker"] + taken.pop("urgent")}

    def peak_mib(self, name: str) -> float:
        """Give the most memory one process of a kind has had resident."""
        return peak_mib(self._pids[name])

    def new_app(self, sink: Sink, *, tokens: int) -> dict[str, Any]:
        """Give the keys of a fresh app with so many devices, half of each provider."""
        app = self._engines.new_app()
        self.aim(app, sink)
        facts = {"app": app["id"], "count": tokens, "topic": TOPIC}
        self.database.execute(TOKENS, facts)
        self.database.execute("VACUUM ANALYZE")
        # on the disk, and not on its way there: each commit of the next minute would wait for it
        self.database.execute("CHECKPOINT")
        os.sync()
        return app

    @contextmanager
    def capped(self, app: Mapping[str, Any]) -> Iterator[None]:
        """Give an app a cap that nobody meets, for a while: each push takes a slot."""
        change = "UPDATE crm_app SET cap_pushes = %s, cap_window = '30 days' WHERE id = %s"
        self.database.execute(change, [100, app["id"]])
        try:
            yield
        finally:
            self.database.execute(change, [None, app["id"]])

    def aim(self, app: Mapping[str, Any], sink: Sink) -> None:
        """Send an app's pushes to a sink from now on."""
        with tempfile.TemporaryDirectory() as folder:
            account = Path(folder) / "account.json"
            account.write_text(
                json.dumps(new_account(workload.PROJECT, f"{sink.url}/token").document)
            )
            key = sink.identity.key
            # a sink has no quota
            where = [
                *("--endpoint", sink.url, "--ca-file", str(sink.identity.ca_file)),
                *("--pace", "0"),
            ]
            store = [sys.executable, "manage.py", "set_credential", str(app["id"])]
            names = ["--key-id", key.key_id, "--team-id", key.team_id, "--topic", TOPIC]
            environ = self._engines.environ
            run([*store, "apns", str(sink.identity.key_file), *names, *where], environ)
            run([*store, "fcm", str(account), *where], environ)

    def call(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        """Post a JSON body and give the answer's."""
        url = f"http://127.0.0.1:{self._port}{path}"
        request = urllib.request.Request(url, json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def send(self, app: Mapping[str, Any], **said: Any) -> int:
        """Ask for a push and give the notification's id."""
        body = {"title": "Hello", "message": "World", "data": {"a": "1", "b": "2"}, **said}
        pair = f"{app['api_key']}:{app['server_key']}".encode()
        keys = {"Authorization": f"Basic {b64encode(pair).decode()}"}
        return int(self.call("/notifications", body, keys)["id"])

    def finished(self, notification: int, *, seconds: float, every: float = 0.02) -> dict[str, Any]:
        """Wait for the end of a send and give its occurrence."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            row = self.database.execute(
                """SELECT o.targeted, o.accepted, o.rejected, o.unregistered, o.expired,
                          o.uncertain, o.replayed, o.finished_at, n.created_at
                     FROM delivery_occurrence o JOIN delivery_notification n
                       ON n.id = o.notification_id
                    WHERE n.id = %s AND o.state = 'finished'""",
                [notification],
            ).fetchone()
            if row is not None:
                return dict(zip(COUNTED, row, strict=True))
            time.sleep(every)
        raise WrongResult(f"notification {notification} was not finished in {seconds:g} s")
