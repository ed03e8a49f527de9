"""An HTTP/2 client that hides nothing: frames in, events out, every read with a deadline."""

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Self

import h2.events as ev
from h2.config import H2Configuration
from h2.connection import H2Connection

DEADLINE = 5.0


class RawClient:
    """One connection to the APNs side."""

    def __init__(self, port: int, tls: ssl.SSLContext, *, polite: bool = True) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.socket = tls.wrap_socket(plain, server_hostname="127.0.0.1")
        config = H2Configuration(header_encoding=None, validate_outbound_headers=False)
        self.h2 = H2Connection(config)
        self.events: list[Any] = []
        self.ended = False
        self.h2.initiate_connection()
        self.flush()
        if polite:
            self.wait(lambda: self.of(ev.RemoteSettingsChanged))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def request(self, path: str, headers: dict[str, str | bytes], body: bytes = b"{}") -> int:
        """Open a stream and send everything; flushing is up to the caller."""
        stream = self.h2.get_next_available_stream_id()
        pseudo = {":method": "POST", ":scheme": "https", ":path": path, ":authority": "localhost"}
        pairs = [(name.encode(), value) for name, value in (pseudo | headers).items()]
        fields = [(name, v if isinstance(v, bytes) else v.encode()) for name, v in pairs]
        self.h2.send_headers(stream, fields)
        self.h2.send_data(stream, body, end_stream=True)
        return stream

    def wait(self, until: Callable[[], Any], seconds: float = DEADLINE) -> Any:
        """Read until something is true, the server hangs up, or time runs out."""
        deadline = time.monotonic() + seconds
        while not (found := until()) and not self.ended:
            left = deadline - time.monotonic()
            if left <= 0:
                return found
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return until()
            except OSError:
                data = b""
            self.ended = not data
            self.events += self.h2.receive_data(data) if data else []
            if not self.ended:
                self.flush()
        return until()

    def of(self, kind: type, stream: int | None = None) -> list[Any]:
        """Return the events of one kind so far."""
        found = [event for event in self.events if isinstance(event, kind)]
        return [e for e in found if stream is None or e.stream_id == stream]

    def status(self, stream: int) -> int | None:
        """Return the status of a stream's answer, if there is one."""
        for event in self.of(ev.ResponseReceived, stream):
            return int(dict(event.headers)[b":status"])
        return None

    def answered(self, stream: int) -> int | None:
        """Wait for the end of one stream and return its status."""
        self.wait(lambda: self.of(ev.StreamEnded, stream))
        return self.status(stream)

    def max_streams(self) -> int:
        """Return the stream limit in force."""
        return self.h2.remote_settings.max_concurrent_streams
