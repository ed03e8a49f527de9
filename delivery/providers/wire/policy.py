"""Where a pool connects to, and how it behaves there."""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server; its name is looked up afresh for every connection."""

    host: str
    port: int
    ssl: ssl.SSLContext
    server_name: str | None = None
    """The name in the certificate and in :authority, where it is not `host`."""

    @property
    def authority(self) -> bytes:
        """The :authority of every request."""
        name = self.server_name or self.host
        if ":" in name:
            name = f"[{name}]"
        return (name if self.port == 443 else f"{name}:{self.port}").encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Limits and waits of one pool, all in seconds, bytes or counts.

    The defaults suit APNs and FCM; tests shorten the waits.
    """

    max_connections: int = 10
    """A batch of 1,000 is under way at once even where the server allows 100 streams each: with
    fewer it takes several round trips. They are opened one after another, each when those before
    it are full (contract §1.4)."""
    max_streams: int = 4000
    """So many requests in flight are enough: with them no further connection is opened."""
    min_connections: int = 0
    """Kept open once the pool has been used, needed or not."""
    max_in_flight: int = 1000
    """Per connection, where the server's own limit is higher or missing."""
    warm_up: bool = True
    """One request at a time on a fresh connection until its first answer: with a provider token
    APNs allows a single stream until it has accepted one (Establishing a connection to APNs)."""

    connect_timeout: float = 10.0
    """For name, TCP, TLS and the server's SETTINGS together."""
    request_timeout: float = 20.0
    """From the moment a request is written."""
    queue_timeout: float = 30.0
    """How long a send may go without any of its waiting requests being written."""
    send_timeout: float = 60.0
    """How long a send may go on starting requests; the rest is reported unsent. A server that lets
    one request through at a time, and late, is moving but of no use."""

    ping_idle: float = 10.0
    """PING when requests are in flight and nothing has been heard for so long."""
    ping_unused: float = 3600.0
    """PING when nothing is in flight; Apple asks for no more than one in about an hour."""
    probe_after: float = 120.0
    """After so long a silence a PING must come back before a request is risked."""
    ping_timeout: float = 5.0

    max_age: float = 6 * 3600.0
    """Shortened by up to a tenth at random, so that workers do not reconnect together."""
    max_requests: int = 45_000
    """Per connection. REFUSED_STREAM was reported near 50 000 (edamov/pushok issue 169)."""

    backoff_first: float = 0.25
    backoff_cap: float = 30.0
    connect_attempts: int = 3
    """Failures in a row after which waiting requests are reported instead of kept waiting."""
    max_resend: int = 32
    """How often a provably unsent request is quietly sent again. A rejected push makes APNs refuse
    all streams beside it (contract §1.4), so one request may be refused many times over."""

    recv_window: int = 1 << 24
    answer_cap: int = 1 << 16
    """Bytes kept of an answer's body; the rest is read and dropped."""

    @property
    def tick(self) -> float:
        """How often a busy pool looks at its deadlines."""
        waits = (self.request_timeout, self.queue_timeout, self.ping_idle, self.ping_timeout)
        return min(0.5, max(0.01, min(*waits, self.backoff_first * 4) / 8))

    @property
    def idle_tick(self) -> float:
        """How often a pool with nothing in flight does."""
        return min(30.0, max(self.tick, min(self.ping_unused, self.max_age) / 8))
