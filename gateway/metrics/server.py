"""A worker's or a tick's own port: alive, ready, metrics, for whoever can reach it."""

import json
import os
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from prometheus_client.registry import Collector

from gateway.metrics.exposition import CONTENT_TYPE_LATEST, exposition

Checks = Mapping[str, Callable[[], str]]

PATIENCE = 10
"""Seconds a client has for its question."""


class Port:
    """A listening socket that belongs to one process, and answers once it is told to."""

    def __init__(self, address: str, port: int, *, checks: Checks, signs: Collector) -> None:
        class Answering(Questions):
            answers: ClassVar = {
                "/metrics": lambda: (200, CONTENT_TYPE_LATEST, exposition(signs)),
                "/healthz": lambda: _told(200, {"status": "ok"}),
                "/readyz": lambda: readiness(checks),
            }

        self._server = ThreadingHTTPServer((address, port), Answering)
        self._server.daemon_threads = True
        os.register_at_fork(after_in_child=self._server.socket.close)

    @property
    def number(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def begin(self) -> None:
        """Answer from now on, on a thread of its own."""
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def end(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


Answer = tuple[int, str, bytes]


class Questions(BaseHTTPRequestHandler):
    """One question, one answer; nothing is read but the path."""

    answers: ClassVar[Mapping[str, Callable[[], Answer]]] = {}
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Answer what is asked."""
        answer = self.answers.get(self.path.partition("?")[0])
        status, kind, body = answer() if answer else _told(404, {"status": "not found"})
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: a scrape every few seconds is no news."""


def readiness(checks: Checks) -> Answer:
    """Give what the checks find, each by its name, in the form `/readyz` of web has."""
    found = {name: check() or "ok" for name, check in checks.items()}
    ready = all(said == "ok" for said in found.values())
    status = "ok" if ready else "unready"
    return _told(200 if ready else 503, {"status": status, "checks": found})


def _told(status: int, said: Mapping[str, object]) -> Answer:
    return status, "application/json", json.dumps(said).encode()
