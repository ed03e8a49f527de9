"""Credentials → a living adapter, kept for the life of the worker."""

import asyncio
import atexit
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple

from django.conf import settings

from delivery.providers import runtime
from delivery.providers.contract import Credentials, Provider
from delivery.providers.memory import Memory
from delivery.providers.simulated import Refused, stray_address
from delivery.providers.vitals import vitals
from delivery.providers.wire import Policy
from delivery.trust import HTTP1, HTTP2, shared_trust

Build = Callable[[Credentials], Provider]

LIMIT = 256
"""Adapters one worker keeps; past this the one idle longest is drained."""

FAREWELL = 10.0
"""Seconds all adapters together get to hang up at exit."""


def policy() -> Policy:
    """Give the waits of every pool, as the settings have them.

    A silent connection is found out by the time its requests are given up, so that the next batch
    does not follow them.
    """
    timeout = settings.REQUEST_TIMEOUT.total_seconds()
    return Policy(
        request_timeout=timeout,
        ping_idle=timeout / 2,
        ping_timeout=timeout / 2,
        queue_timeout=settings.SEND_TIMEOUT.total_seconds(),
        send_timeout=settings.SEND_TIMEOUT.total_seconds(),
    )


def _apns(credentials: Credentials) -> Provider:
    from delivery.providers.apns.adapter import Apns  # noqa: PLC0415 - see `_fcm`

    return Apns(credentials, policy=policy())


def _fcm(credentials: Credentials) -> Provider:
    # a web process never delivers; it is spared half its start and its memory
    from delivery.providers.fcm.adapter import Fcm  # noqa: PLC0415

    return Fcm(credentials, policy=policy())


BUILDERS: dict[str, Build] = {
    "apns": _apns,
    "fcm": _fcm,
    "memory": lambda credentials: Memory(credentials.facts),
}


class Kept(NamedTuple):
    """An adapter and what it was built from."""

    fingerprint: bytes
    provider: Provider


class Registry:
    """The adapters of one process; safe to ask from several threads."""

    def __init__(self, build: Build | None = None, *, limit: int = LIMIT) -> None:
        self._build = build or build_provider
        self._limit = limit
        self._begin()

    def adapter_for(self, credentials: Credentials) -> Provider:
        """Give the adapter of these credentials: the same one until they change.

        An adapter whose credential was rotated, or that has been idle longest when there are too
        many, finishes what is in flight and hangs up behind the scenes.
        """
        if self._pid != os.getpid():
            self._begin()  # the parent's adapters live on the parent's loop; leave them alone
        mark = fingerprint(credentials)
        with self._lock:
            kept = self._kept.get(credentials.id)
            if kept is not None and kept.fingerprint == mark:
                self._kept.move_to_end(credentials.id)
                return kept.provider
            provider = self._build(credentials)
            vitals.watch(credentials.provider, provider)
            retired = [self._kept.pop(credentials.id).provider] if kept else []
            self._kept[credentials.id] = Kept(mark, provider)
            while len(self._kept) > self._limit:
                retired.append(self._kept.popitem(last=False)[1].provider)
        for old in retired:
            runtime.current().start(old.close())
        return provider

    def close(self) -> None:
        """Hang up everywhere, within a deadline; the next question builds anew."""
        if self._pid != os.getpid():
            return
        with self._lock:
            providers = [kept.provider for kept in self._kept.values()]
            self._kept.clear()
        if providers:
            with suppress(runtime.DeadlineExceeded):
                runtime.run(_close_all(providers), FAREWELL)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Kept] = OrderedDict()


def preload() -> None:
    """Load what adapters need: once, before a worker forks, instead of in its first pushes."""
    for name in ("apns", "fcm"):
        import_module(f"delivery.providers.{name}.adapter")
    for protocol in (HTTP1, HTTP2):
        shared_trust(protocol=protocol)


def build_provider(credentials: Credentials) -> Provider:
    """Give a new adapter for these credentials; a test app's that lead astray ask nobody."""
    if credentials.test and (
        stray := stray_address(credentials, simulators=settings.SIMULATORS.values())
    ):
        return Refused(f"test keys reach the simulator only, not {stray}")
    return BUILDERS[credentials.provider](credentials)


def fingerprint(credentials: Credentials) -> bytes:
    """Give a digest that changes with anything the adapter depends on, and tells nothing else."""
    said = (
        credentials.provider,
        credentials.kind,
        credentials.secret,
        sorted(credentials.facts.items()),
        str(credentials.environment),
        credentials.endpoint,
        credentials.ca_pem,
        credentials.test,
    )
    return hashlib.blake2b(repr(said).encode(), digest_size=16).digest()


async def _close_all(providers: list[Provider]) -> None:
    await asyncio.gather(*(provider.close() for provider in providers), return_exceptions=True)


registry = Registry()
"""The one registry of this process."""

atexit.register(registry.close)
