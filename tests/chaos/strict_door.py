"""A server that wants a certificate and refuses a bad one with a TLS alert, as Apple does.

The simulator refuses it too, but asyncio hangs up before the alert has left.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def strict_door(folder: Path) -> Iterator[int]:
    """Have it on a port of the loopback interface, believing the simulator's authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_refuse, args=(server, context))
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _refuse(server: socket.socket, context: ssl.SSLContext) -> None:
    with suppress(OSError):  # how it learns that the test is over
        while True:
            caller, _ = server.accept()
            caller.settimeout(2)
            with caller, suppress(OSError):
                context.wrap_socket(caller, server_side=True).close()
