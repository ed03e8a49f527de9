from dataclasses import asdict

import pytest

from tests.chaos import recovery, shim
from tests.chaos.desk import Desk
from tests.chaos.scene import Scene
from tests.journeys.stack import Stack, wait_until


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """One gateway for all faults; clocks and disks can be hurt where the shim can be built."""
    try:
        switches = shim.Shim()
    except shim.Missing:
        switches = None
    stack = Stack(tmp_path_factory.mktemp("stack"), switches, careless=False)
    try:
        stack.start()
        stack.start_urgent_worker()
        yield stack
    finally:
        stack.stop()
        if switches:
            switches.close()


@pytest.fixture
def stack(running):
    """Give the gateway with all its parts up, a fresh app and an honest simulator."""
    running.revive()
    wait_until("ready", lambda: running.call("GET", "/readyz", keys=None).status == 200)
    running.control.post("/reset")
    running.app = running.new_app()
    yield running
    assert running.ended() == [], "what is killed is started again; these ended by themselves"


@pytest.fixture
def switches(running):
    """Give the clocks and disks of single processes, right again afterwards."""
    if running.shim is None:
        pytest.skip("no C compiler, or no Linux: the shim cannot be built")
    yield running.shim
    running.shim.reset()


@pytest.fixture(scope="session")
def desk(running):
    """Give an operator who stores credentials."""
    desk = Desk(running)
    yield desk
    desk.leave()


@pytest.fixture
def scene(stack, desk):
    """Give a gateway and a provider that can be made to misbehave."""
    return Scene(stack, desk)


def pytest_sessionfinish(session):
    """Hand what was measured to the run's first process, where this is one of several."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["recovery"] = [asdict(one) for one in recovery.measured]
