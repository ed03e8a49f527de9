import socket

from devstack.errors import StackError

HOST = "127.0.0.1"


def check_port(port: int) -> None:
    """Refuse a taken port before anything is started."""
    if (problem := _problem_with(port)) is not None:
        raise StackError(f"port {port} is taken ({problem}): make run PORT={port + 1}")


def is_free(port: int) -> bool:
    """Say whether a port could be listened on now."""
    return _problem_with(port) is None


def _problem_with(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def read_port(text: str) -> int:
    """Return the port somebody asked for, or refuse in one line."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise StackError(f"PORT must be a number from 1 to 65535, not {text!r}")
    return int(text)


def free_port() -> int:
    """Return a port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
