import pytest

from tests.journeys.stack import Stack


@pytest.fixture(scope="package")
def running(tmp_path_factory):
    """One gateway for all journeys; each starts with a fresh app and an honest simulator."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def stack(running):
    running.control.post("/reset")
    running.app = running.new_app()
    return running
