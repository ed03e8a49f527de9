"""TLS between two byte strings: what came from the socket, what goes to it.

Not the loop's own TLS transport, for one reason. A server that says GOAWAY and closes while we are
still writing answers our bytes with a TCP reset; the write fails, and the transport drops whatever
was received but not read: answers, and the GOAWAY that proves which requests were never seen. With
TLS in our hands those last bytes can still be read (`salvage`).
"""

import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Final

_RECORD: Final = 1 << 16
_LAST_READS: Final = 256


class Tls:
    """One client session in memory."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_name
        )
        self.established = False
        self.ended = False
        """Whether the peer has said that nothing more will come."""

    @property
    def speaks_http2(self) -> bool:
        """Whether both sides agreed on HTTP/2 (ALPN)."""
        return self._session.selected_alpn_protocol() == "h2"

    def shake_hands(self, data: bytes = b"") -> None:
        """Take the handshake as far as the bytes so far allow; raises `ssl.SSLError`."""
        self._incoming.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            self._session.do_handshake()
            self.established = True

    def open(self, data: bytes) -> bytes:
        """Return what ciphertext says; raises `ssl.SSLError` where it has been tampered with."""
        self._incoming.write(data)
        parts = []
        try:
            while part := self._session.read(_RECORD):
                parts.append(part)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            if not parts:
                raise
            self.ended = True  # what came before the fault still counts
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def seal(self, data: bytes) -> None:
        """Encrypt; `output` has the result."""
        self._session.write(data)

    def output(self) -> bytes:
        """Return ciphertext to be written: sealed data, handshake messages, alerts."""
        return self._outgoing.read()

    def say_goodbye(self) -> None:
        """Tell the peer that nothing more will come, without waiting for it to agree."""
        with contextlib.suppress(ssl.SSLError):
            self._session.unwrap()


def salvage(transport_socket: socket.socket | None) -> Iterator[bytes]:
    """Yield what the kernel still holds for a socket whose transport has failed."""
    with contextlib.suppress(OSError, ValueError):  # nothing more, or closed already
        if transport_socket is None:
            return
        with socket.socket(fileno=os.dup(transport_socket.fileno())) as last:
            last.settimeout(0)
            for _ in range(_LAST_READS):
                data = last.recv(_RECORD)
                if not data:
                    return
                yield data
