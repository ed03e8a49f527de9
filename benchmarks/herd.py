"""Many devices at once: each connection posts the next body as soon as one is answered.

It costs some 20 µs a post, a fraction of what a web server spends on one, so it sets no limit here.
"""

import base64
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.turns import WrongResult

DEADLINE = 60.0  # seconds without any answer
ENOUGH = 1 << 16


class Answered(NamedTuple):
    """What came of a number of posts."""

    statuses: Counter[int]
    seconds: float
    bodies: list[bytes]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.statuses.total() / self.seconds


def post(path: str, body: bytes, *, user: str, password: str) -> bytes:
    """Give a whole request, ready to be written."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: events.example\r\nAuthorization: Basic {pair}\r\n"
        "Content-Type: application/json; charset=utf-8\r\nUser-Agent: okhttp/4.9.3\r\n"
        f"Accept-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def stampede(port: int, requests: Sequence[bytes], *, connections: int) -> Answered:
    """Send all requests over so many connections, and give what was answered."""
    devices = [_connected(port) for _ in range(min(connections, len(requests)))]
    try:
        return _run({device.fileno(): device for device in devices}, iter(requests))
    finally:
        for device in devices:
            device.close()


def _connected(port: int) -> socket.socket:
    device = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return device


def _run(devices: dict[int, socket.socket], requests: Iterator[bytes]) -> Answered:
    statuses: Counter[int] = Counter()
    bodies: list[bytes] = []
    began, waiting = time.perf_counter(), len(devices)
    with select.epoll() as poll:
        for number, device in devices.items():
            device.sendall(next(requests))
            poll.register(number, select.EPOLLIN)
        while waiting:
            ready = poll.poll(DEADLINE)
            if not ready:
                raise WrongResult(f"{waiting} posts without an answer after {DEADLINE:.0f} s")
            for number, _ in ready:
                device = devices[number]
                status, body = _answer(device)
                statuses[status] += 1
                bodies.append(body)
                if (following := next(requests, None)) is None:
                    waiting -= 1
                else:
                    device.sendall(following)
    return Answered(statuses, time.perf_counter() - began, bodies)


def _answer(device: socket.socket) -> tuple[int, bytes]:
    """Read one answer to its end, and give its status and body."""
    answer = device.recv(ENOUGH)
    while not _whole(answer):
        more = device.recv(ENOUGH)
        if not more:
            raise WrongResult("a connection was closed on a device that waited for its answer")
        answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(answer[9:12]), b"".join(_chunks(body)) if _is_chunked(head) else body


def _whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    if _is_chunked(head):
        return body.endswith(b"0\r\n\r\n")
    _, _, length = head.lower().partition(b"content-length:")
    return len(body) >= int(length.split(b"\r\n")[0] or 0)


def _is_chunked(head: bytes) -> bool:
    return b"transfer-encoding: chunked" in head.lower()


def _chunks(body: bytes) -> Iterator[bytes]:
    while size := int((parts := body.partition(b"\r\n"))[0], 16):
        yield parts[2][:size]
        body = parts[2][size + 2 :]
