"""TLS in front of the gateway, as a proxy in production ends it; only for clients that insist."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

BLOCK = 1 << 16


@contextmanager
def tls_front(port: int, certificate: Path) -> Iterator[int]:
    """Have a port of the loopback interface that speaks TLS and leads to another."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=_serve, args=(listener, context, port), daemon=True).start()
        yield listener.getsockname()[1]


def _serve(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with suppress(OSError):  # the listener is closed in the end
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=_carry, args=(plain, context, port), daemon=True).start()


def _carry(plain: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with (
        suppress(OSError),
        closing(context.wrap_socket(plain, server_side=True)) as client,
        closing(socket.create_connection(("127.0.0.1", port))) as server,
    ):
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        _copy(client, server)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(BLOCK):
            target.sendall(block)
