import pytest

from tests.operations.watched import Watched


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One watched gateway for a module."""
    stack = Watched(tmp_path_factory.mktemp("watched"))
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
