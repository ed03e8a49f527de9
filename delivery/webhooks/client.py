"""One POST to a stranger: to an address looked at, within a deadline, and never led elsewhere."""

import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpcore
from django.conf import settings

from delivery.trust import HTTP1, shared_trust
from delivery.webhooks.addresses import Refused, resolve, usable

CONNECT_WITHIN = 5.0
ANSWER_WITHIN = 15.0
"""Seconds from the first step of a call to the end of its answer, whatever the receiver does."""

MOST_READ = 4096
"""Bytes read of an answer; a status says all we need."""

SHOWN = 300
PIECE = 16 * 1024

# what may be a key or a token: whoever answers with one does not want it kept here
SECRET = re.compile(r"(?:whsec_)?[A-Za-z0-9+/=_\-]{20,}|(?<=Bearer )\S+|(?<=[?&=:])[^\s&\"']{16,}")

CONTENT_FREE = frozenset({429, 502, 503, 504})
"""Statuses that say nothing of what was sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What became of a call: a status, or why there was none.

    `about_content` says that another body might have fared better; `retry_after`, in seconds, is
    the receiver's wish.
    """

    status: int | None = None
    said: str = ""
    about_content: bool = False
    retry_after: float | None = None
    milliseconds: int = 0

    @property
    def ok(self) -> bool:
        """Whether it was taken."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more, ever."""
        return self.status == 410


class Client:
    """Calls one webhook, over a connection that is kept from one call to the next."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._guard = Guard(plain=urlsplit(url).scheme != "https")
        self._pool = httpcore.ConnectionPool(
            ssl_context=shared_trust(protocol=HTTP1),
            max_connections=1,
            network_backend=self._guard,
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._pool.close()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Give what became of a call; a failure is an answer, too, and never raised."""
        began_at = monotonic()
        self._guard.begin()
        try:
            answer = self._post(body, headers)
        except Refused as refusal:
            answer = Answer(said=str(refusal))
        except httpcore.ConnectTimeout:
            answer = Answer(said="no connection in time")
        except httpcore.ConnectError as fault:
            answer = Answer(said=_connecting(fault))
        except httpcore.TimeoutException:
            answer = Answer(said="no answer in time", about_content=True)
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as fault:
            answer = Answer(said=f"the connection broke: {_name(fault)}", about_content=True)
        return _timed(answer, monotonic() - began_at)

    def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        said = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": "push-gateway-webhooks",
            "accept": "*/*",
            **headers,
        }
        waits = {"connect": CONNECT_WITHIN, "read": ANSWER_WITHIN, "write": ANSWER_WITHIN}
        with self._pool.stream(
            "POST",
            self._url,
            headers=[(name.encode(), value.encode()) for name, value in said.items()],
            content=body,
            extensions={"timeout": {**waits, "pool": CONNECT_WITHIN}},
        ) as response:
            return _read(response)


def _read(response: httpcore.Response) -> Answer:
    beginning, status = b"", response.status
    try:
        for part in response.iter_stream():
            beginning += part[: MOST_READ - len(beginning)]
            if len(beginning) >= MOST_READ:
                break
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        beginning += b" (cut off)"  # its status came, and stands
    return Answer(
        status=status,
        said=shown(beginning),
        about_content=status >= 400 and status not in CONTENT_FREE,
        retry_after=_wish(_said_of(b"retry-after", response)),
    )


def _said_of(header: bytes, response: httpcore.Response) -> bytes | None:
    return next((value for name, value in response.headers if name.lower() == header), None)


def _wish(value: bytes | None) -> float | None:
    """Give the seconds of a Retry-After, which may be a date."""
    text = (value or b"").decode("latin-1").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    wait = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)
    return max(0.0, wait.total_seconds())


def shown(answer: bytes) -> str:
    """Give the beginning of an answer as it may be kept: text, and nothing like a key in it."""
    text = SECRET.sub("[…]", answer.decode("utf-8", "replace"))
    return "".join(c if c.isprintable() else " " for c in text).strip()[:SHOWN]


def _connecting(fault: Exception) -> str:
    cause = fault.__cause__ or fault.__context__ or fault
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"no TLS: {cause.reason or _name(cause)}"
    return f"no connection: {_name(cause)}"


def _name(fault: BaseException) -> str:
    return type(fault).__name__


def _timed(answer: Answer, seconds: float) -> Answer:
    return Answer(
        status=answer.status,
        said=answer.said,
        about_content=answer.about_content,
        retry_after=answer.retry_after,
        milliseconds=round(seconds * 1000),
    )


class Guard(httpcore.NetworkBackend):
    """Connects to addresses it has looked at itself, and ends what lasts too long."""

    def __init__(self, *, plain: bool) -> None:
        self._plain = plain
        self._sockets = httpcore.SyncBackend()
        self.gives_up_at = 0.0

    def begin(self) -> None:
        """Begin a call: from now on its time counts."""
        self.gives_up_at = monotonic() + ANSWER_WITHIN

    def left(self, wanted: float | None) -> float:
        """Give the seconds the next step may take."""
        left = self.gives_up_at - monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the call's time is over")
        return left if wanted is None else min(wanted, left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to one of the addresses a host has now and may have."""
        found = resolve(host.strip("[]"), port, within=self.left(timeout))
        fit = usable(found, allowed=settings.WEBHOOK_ALLOW, plain=self._plain)
        fault: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in fit[:2]:
            try:
                stream = self._sockets.connect_tcp(
                    address,
                    port,
                    timeout=self.left(timeout),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
            else:
                return Bounded(stream, self)
        assert fault is not None  # there is one address at least
        raise fault

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Refuse: no URL leads there."""
        del path, timeout, socket_options
        raise Refused("its address is none of a network")


class Bounded(httpcore.NetworkStream):
    """A connection on which no step outlasts the call."""

    def __init__(self, stream: httpcore.NetworkStream, guard: Guard) -> None:
        self._stream = stream
        self._guard = guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Give what comes next."""
        return self._stream.read(max_bytes, self._guard.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write piece by piece: each may wait for a receiver that reads slowly."""
        for start in range(0, len(buffer), PIECE):
            self._stream.write(buffer[start : start + PIECE], self._guard.left(timeout))

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Give the same under TLS, with the certificate checked against the URL's host."""
        left = self._guard.left(timeout)
        return Bounded(self._stream.start_tls(ssl_context, server_hostname, left), self._guard)

    def get_extra_info(self, info: str) -> Any:
        """Give what httpcore asks of a connection."""
        return self._stream.get_extra_info(info)
