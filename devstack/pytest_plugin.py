"""Gives each process of a pytest run its own Postgres and Valkey, before Django reads settings.

Loaded by `addopts = -p devstack.pytest_plugin`, so a plain `pytest` in the environment works too.
"""

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from devstack.errors import StackError
from devstack.services import Services

NAMES = ("DATABASE_URL", "REDIS_URL")

OURS = "DEVSTACK_TEST_ENGINES"
"""Set where the engines of the environment were started here, for the process that says so."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Start what the environment lacks; pytest-django reads the settings inside the yield."""
    os.environ.setdefault("SECRET_KEY", "only for tests: nothing it protects outlives them")
    os.environ.setdefault("GATEWAY_REQUIRE_SECOND_FACTOR", "0")  # tests of it require it
    if needs_services():
        start(early_config)
    yield


def needs_services() -> bool:
    """Say whether this process starts engines: one of several does not share those of another.

    Tests empty the broker, and look for all there is in the database.
    """
    return OURS in os.environ or not all(map(os.environ.get, NAMES))


def start(config: pytest.Config) -> None:
    """Start ephemeral engines and stop them when the configuration is dropped.

    A cleanup rather than pytest_unconfigure alone, which is skipped when a conftest fails early.
    """
    base = Path(tempfile.mkdtemp(prefix="gateway-tests-"))
    # what is named there was started for the process that started this one
    inherited = NAMES if OURS in os.environ else ()
    environ = {name: value for name, value in os.environ.items() if name not in inherited}
    services = Services(base, ephemeral=True, environ=environ)
    try:
        urls = services.start()
    except StackError as problem:
        raise pytest.UsageError(str(problem)) from None
    config.add_cleanup(services.stop)
    os.environ.pop("PGPORT", None)  # libpq would look for another socket
    os.environ.update({**urls.environment(), OURS: "1"})
