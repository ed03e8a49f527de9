"""A running gateway as operators watch it: metrics ports, JSON lines, a receiver for traces."""

import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from devstack.ports import free_port
from tests.journeys.stack import Stack

Labels = tuple[tuple[str, str], ...]


class Receiver:
    """An OTLP/HTTP receiver in this process that keeps every span."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        receiver = self

        class Post(BaseHTTPRequestHandler):
            def do_POST(self):
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                asked = ExportTraceServiceRequest.FromString(body)
                for resource in asked.resource_spans:
                    for scope in resource.scope_spans:
                        receiver.spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Post)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def trace(self, trace_id: str) -> list[Span]:
        """Give the spans of one trace."""
        return [span for span in list(self.spans) if span.trace_id.hex() == trace_id]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def facts(span: Span) -> dict[str, Any]:
    """Give a span's attributes as plain values."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes
    }


class Watched(Stack):
    """A stack whose worker and beat have a port of their own, and whose web has two processes."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.receiver = Receiver()
        self.ports = {"worker": free_port(), "beat": free_port()}

    def run(self, name: str, command: list[str], *, log: Path | None = None) -> None:
        self.environ |= {
            "GATEWAY_LOG_FORMAT": "json",
            "GATEWAY_OTLP_ENDPOINT": self.receiver.url,
            "GATEWAY_METRICS_PORT": str(self.ports.get(name, 0)),
        }
        if name == "web":
            command = list(command)
            command[command.index("--workers") + 1] = "2"
        super().run(name, command, log=log)

    def stop(self) -> None:
        super().stop()
        self.receiver.close()

    def url_of(self, name: str) -> str:
        return self.url if name == "web" else f"http://127.0.0.1:{self.ports[name]}"

    def scrape(self, name: str) -> Mapping[tuple[str, Labels], float]:
        """Give every sample one process family shows now."""
        with urllib.request.urlopen(self.url_of(name) + "/metrics", timeout=20) as answer:
            text = answer.read().decode()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def total(self, process: str, metric: str, **labels: str) -> float:
        """Give the sum of a metric's samples that have these labels."""
        return sum(
            value
            for (name, found), value in self.scrape(process).items()
            if name == metric and labels.items() <= dict(found).items()
        )

    def lines(self) -> Iterator[dict[str, Any]]:
        """Give every line that any process wrote as JSON."""
        for line in self.log().splitlines():
            if line.startswith("{"):
                yield json.loads(line)
