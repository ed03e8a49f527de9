"""One simulator for this folder, put back to its first state for each test."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from simulator import launch
from tests.simulator.plain_clients import Apple, Google, World


@pytest.fixture(scope="session")
def running_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[launch.Running]:
    with launch.start(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def simulator(running_simulator: launch.Running) -> World:
    running_simulator.control.post("/reset")
    return World(running_simulator.facts, running_simulator.control)


@pytest.fixture
def client(simulator: World) -> Iterator[httpx.Client]:
    with httpx.Client(http2=True, verify=simulator.tls(), timeout=5, trust_env=False) as client:
        yield client


@pytest.fixture
def apple(simulator: World, client: httpx.Client) -> Apple:
    return Apple(simulator.facts, client)


@pytest.fixture
def google(simulator: World, client: httpx.Client) -> Google:
    return Google(simulator.facts, client)


@pytest.fixture
def push_id() -> str:
    return str(uuid.uuid4())
