"""A gateway that only listens: it keeps what phones post and answers what it is told to."""

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DEADLINE = 8.0


@dataclass(frozen=True)
class Post:
    """One post of a phone."""

    path: str
    keys: str
    events: list[dict[str, Any]]
    status: int


@dataclass
class RecordingGateway:
    """What arrived, oldest first."""

    posts: list[Post] = field(default_factory=list)
    status: int = 202
    url: str = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the events that were taken."""
        return [e for post in list(self.posts) if post.status == 202 for e in post.events]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def wait(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for this many events of a kind, and return those there are."""
        deadline = time.monotonic() + DEADLINE
        while len(self.of(kind)) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.of(kind)


def serve(gateway: RecordingGateway, port: int = 0) -> ThreadingHTTPServer:
    """Start answering in a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            keys = base64.b64decode(self.headers["authorization"].removeprefix("Basic ")).decode()
            gateway.posts.append(Post(self.path, keys, json.loads(body), gateway.status))
            self.send_response(gateway.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    gateway.url = f"http://127.0.0.1:{server.server_port}"
    return server
