"""A simulator to push at, and what it takes: credentials, pushes, addresses, outcomes collected."""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from delivery.message import Message
from delivery.providers.apns.adapter import Apns
from delivery.providers.contract import (
    Credentials,
    Environment,
    Outcome,
    Provider,
    Push,
    Target,
    Transport,
)
from delivery.providers.fcm.adapter import Fcm
from delivery.providers.wire import Policy
from simulator.launch import Running, start

IMPATIENT = Policy(
    connect_timeout=2.0,
    request_timeout=1.0,
    queue_timeout=2.0,
    ping_idle=0.5,
    ping_timeout=0.5,
    backoff_first=0.02,
    backoff_cap=0.1,
    connect_attempts=2,
)
HELLO = Message(title="Hello", body="World")


@dataclass
class Stage:
    """One running simulator and the way in."""

    running: Running

    @property
    def facts(self) -> dict[str, Any]:
        return self.running.facts

    def text(self, path: str) -> str:
        return Path(path).read_text()

    def credentials(self, provider: str, **changes: Any) -> Credentials:
        """Give a credential that is let in, or the same with something changed."""
        facts = self.facts[provider]
        if provider == "apns":
            said = {
                "kind": "key",
                "secret": self.text(facts["key_file"]),
                "facts": {"key_id": facts["key_id"], "team_id": facts["team_id"]},
                "endpoint": self.facts["apns_url"],
            }
        else:
            said = {
                "kind": "service_account",
                "secret": self.text(facts["service_account_file"]),
                "facts": {},
                "endpoint": self.facts["fcm_url"],
            }
        ca_pem = self.text(self.facts["ca_file"])
        return Credentials(**{"id": 1, "provider": provider, "ca_pem": ca_pem, **said, **changes})

    def provider(
        self, name: str, *, policy: Policy = IMPATIENT, transport: str = "wire", **changes: Any
    ) -> Apns | Fcm:
        """Give an adapter aimed at the simulator."""
        credentials = self.credentials(name, **changes)
        facts: Mapping[str, str] = {**credentials.facts, "transport": transport}
        kind = {"apns": Apns, "fcm": Fcm}[name]
        changed = self.credentials(name, **{**changes, "facts": facts})
        return kind(changed, policy=policy)

    def push(self, name: str, **changes: Any) -> Push:
        """Give a push for one of the two, in a new occurrence unless told otherwise."""
        said = {
            "message": HELLO,
            "notification_id": 7,
            "occurrence_id": 70,
            "transport": Transport(name),
            "environment": Environment.PRODUCTION,
            "topic": self.facts["apns"]["topic"] if name == "apns" else "",
        }
        return Push(**{**said, **changes})

    def script(self, *rules: Mapping[str, Any], **settings: Mapping[str, Any]) -> None:
        """Make the simulator misbehave."""
        self.running.control.put("/script", {"rules": list(rules), "settings": settings})

    def received(self, **query: str) -> list[dict[str, Any]]:
        """Give what arrived, oldest first."""
        asked = "&".join(f"{key}={value}" for key, value in {"limit": "100000", **query}.items())
        records: list[dict[str, Any]] = self.running.control.get(f"/received?{asked}")["records"]
        return records

    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self.running.control.get("/received/summary")
        return summary


def address_of(name: str, number: int) -> str:
    """Give a well-formed token nobody has registered."""
    if name == "fcm":
        return f"cT{number:020d}:APA91b{number:0134d}"
    return f"{number:064x}"


def targets_of(name: str, count: int) -> list[Target]:
    """Give so many targets, numbered from 1."""
    return [Target(number, address_of(name, number)) for number in range(1, count + 1)]


async def collect(provider: Provider, push: Push, targets: Sequence[Target]) -> dict[int, Outcome]:
    """Give the outcomes by token id, having seen that there is exactly one for each target."""
    outcomes: list[Outcome] = []
    async with aclosing(provider.deliver(push, targets)) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            outcomes += chunk
    by_token = {outcome.token_id: outcome for outcome in outcomes}
    assert len(by_token) == len(outcomes), "a target has two outcomes"
    assert by_token.keys() == {target.token_id for target in targets}, "a target has no outcome"
    return by_token


def deliver(
    provider: Provider, push: Push, targets: Sequence[Target], *, within: float = 10.0
) -> dict[int, Outcome]:
    """Give the outcomes by token id, and hang up; the time is bounded."""

    async def run() -> dict[int, Outcome]:
        try:
            return await asyncio.wait_for(collect(provider, push, targets), within)
        finally:
            await provider.close()

    return asyncio.run(run())


def service_account(stage: Stage, **changes: Any) -> str:
    """Give the service account's JSON with something changed."""
    said = json.loads(stage.text(stage.facts["fcm"]["service_account_file"]))
    return json.dumps(said | changes)


@pytest.fixture(scope="session")
def running_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def stage(running_simulator: Running) -> Stage:
    """A simulator that behaves and remembers nothing."""
    running_simulator.control.delete("/script")
    running_simulator.control.post("/reset")
    return Stage(running_simulator)


_dialled: list[str] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _dialled is None:
        return
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        _dialled.append(str(arguments[1][0]))
    if event == "socket.getaddrinfo":
        _dialled.append(str(arguments[0]))


sys.addaudithook(_listen)  # for good: Python takes no hook back, so it listens only when asked


@pytest.fixture
def dialled() -> Iterator[list[str]]:
    """Every host this process looks up or connects to, from any thread and any library."""
    global _dialled  # noqa: PLW0603 - the hook above outlives every test
    _dialled = []
    yield _dialled
    _dialled = None
