"""Wrong keys, counted by address while they are many: a guess then costs no look-up.

Each web process counts for itself, in bounded room and without a round trip. Keys that opened a
moment ago are not asked for again, so they work from there all the same.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from time import monotonic

from django.conf import settings
from prometheus_client import Counter
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from crm.errors import DomainError
from gateway.rest.forwarded import asked_from
from gateway.rest.throttling import TooManyRequests

WINDOW = 60.0
"""Seconds in which wrong keys are counted."""

LARGEST = 10_000
"""Addresses that are remembered."""

REFUSED = Counter(
    "gateway_http_strangers_refused",
    "Requests answered 429 before their keys were looked at.",
    ["why"],
)


class Strangers:
    """How many wrong keys came from each address in its last minute."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """Give the seconds until keys from there are looked up again; 0 where they are now."""
        count, until = self._counts.get(address, (0, 0.0))
        return max(0.0, until - monotonic()) if 0 < settings.WRONG_KEYS <= count else 0.0

    def failed(self, address: str) -> None:
        """Count a wrong key."""
        now = monotonic()
        with self._lock:
            count, until = self._counts.pop(address, (0, 0.0))
            count, until = (count, until) if now < until else (0, now + WINDOW)
            if len(self._counts) >= LARGEST:
                del self._counts[next(iter(self._counts))]  # whoever has been silent for longest
            self._counts[address] = (count + 1, until)


strangers = Strangers()
"""The counts of this process."""


@contextmanager
def counted(request: Request) -> Iterator[None]:
    """Refuse to look keys up for an address that said too many wrong ones; count the next."""
    address = address_of(request)
    if address and (wait := strangers.wait(address)) > 0:
        REFUSED.labels("wrong keys").inc()
        raise TooManyRequests(wait=wait)
    try:
        yield
    except (APIException, DomainError):
        if address:
            strangers.failed(address)
        raise


def address_of(request: Request) -> str:
    """Give who is asking, as far as that can be told; '' where it cannot.

    Without `PROXY_HOPS` an address of a private network is taken for a proxy's.
    """
    address = _read(asked_from(request.META) or "")
    if address is None or (not settings.PROXY_HOPS and not address.is_global):
        return ""
    if isinstance(address, IPv6Address):
        return address.exploded[:19]  # its /64: what one household or machine is given
    return str(address)


def _read(said: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(said)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
