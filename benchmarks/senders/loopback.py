"""Names of the internet that answer from this machine, in this process only."""

import socket
from collections.abc import Collection
from typing import Any

LOCAL = ("127.0.0.1", "localhost", None)


def answer_for(hosts: Collection[str], port: int) -> None:
    """Let these hosts, at whatever port, be a port of the loopback interface; refuse all others.

    For libraries whose address cannot be set: the TLS name and the Host header stay as they are.
    """
    ask = socket.getaddrinfo

    def asked(host: Any, service: Any, *rest: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in hosts:
            return ask("127.0.0.1", port, *rest, **named)
        if name not in LOCAL:
            raise socket.gaierror(f"benchmarks stay on the loopback interface: {name}")
        return ask(host, service, *rest, **named)

    socket.getaddrinfo = asked  # type: ignore[assignment]  # its overloads are typeshed's affair
