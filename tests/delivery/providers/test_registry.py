"""One living adapter for each credential, and what becomes of it when the credential changes."""

import os
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from delivery.providers import runtime
from delivery.providers.apns.adapter import Apns
from delivery.providers.contract import Credentials, Outcome, Push, Target
from delivery.providers.fcm.adapter import Fcm
from delivery.providers.memory import Memory
from delivery.providers.registry import Registry, build_provider, fingerprint, policy

ONE = Credentials(id=1, provider="apns", kind="key", secret="s", facts={"key_id": "k"})


class Door:
    """A provider that only tells whether it was closed."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.closed = threading.Event()

    def deliver(self, push: Push, targets: Sequence[Target]) -> AsyncIterator[Sequence[Outcome]]:
        raise NotImplementedError

    async def close(self) -> None:
        self.closed.set()


@pytest.fixture
def registry() -> Iterator[Registry]:
    yield Registry(Door, limit=3)
    runtime.close()


def numbered(number: int) -> Credentials:
    return replace(ONE, id=number)


def test_the_same_credentials_lead_to_the_same_adapter(registry: Registry) -> None:
    door = registry.adapter_for(ONE)
    assert registry.adapter_for(replace(ONE, facts={"key_id": "k"})) is door


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "t"},
        {"facts": {"key_id": "l"}},
        {"endpoint": "https://localhost:1"},
        {"ca_pem": "x"},
        {"kind": "certificate"},
    ],
)
def test_a_rotated_credential_gets_a_new_adapter_and_the_old_one_hangs_up(
    changes: dict[str, object], registry: Registry
) -> None:
    old = registry.adapter_for(ONE)
    new = registry.adapter_for(replace(ONE, **changes))
    assert new is not old
    assert old.closed.wait(20)
    assert not new.closed.is_set()


def test_the_adapter_idle_longest_makes_room(registry: Registry) -> None:
    doors = [registry.adapter_for(numbered(number)) for number in (1, 2, 3)]
    registry.adapter_for(numbered(1))
    registry.adapter_for(numbered(4))
    assert doors[1].closed.wait(20)
    assert registry.adapter_for(numbered(1)) is doors[0]
    assert not doors[0].closed.is_set()
    assert not doors[2].closed.is_set()


def test_closing_hangs_up_everywhere(registry: Registry) -> None:
    doors = [registry.adapter_for(numbered(number)) for number in (1, 2)]
    registry.close()
    assert all(door.closed.is_set() for door in doors)
    assert registry.adapter_for(numbered(1)) is not doors[0]


def test_another_process_builds_its_own_and_leaves_the_parents_alone(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = registry.adapter_for(ONE)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    registry.close()
    assert registry.adapter_for(ONE) is not old
    monkeypatch.undo()
    time.sleep(0.05)
    assert not old.closed.is_set()


def test_threads_that_ask_at_once_get_one_adapter(registry: Registry) -> None:
    found: list[object] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(registry.adapter_for(ONE))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


@pytest.mark.parametrize(("provider", "kind"), [("apns", Apns), ("fcm", Fcm), ("memory", Memory)])
def test_each_provider_has_its_adapter(provider: str, kind: type[object]) -> None:
    assert isinstance(build_provider(replace(ONE, provider=provider)), kind)


def test_a_fingerprint_tells_nothing_of_the_secret() -> None:
    mark = fingerprint(replace(ONE, secret="very secret"))
    assert b"secret" not in mark
    assert len(mark) == 16


def test_every_wait_follows_the_request_timeout_and_silence_is_found_out_in_time(
    settings: Any,
) -> None:
    """Contract: §6.2.15, where the shipped client waits two minutes for each attempt."""
    settings.REQUEST_TIMEOUT = timedelta(seconds=8)
    waits = policy()
    assert waits.request_timeout == 8
    assert waits.ping_idle + waits.ping_timeout <= waits.request_timeout
