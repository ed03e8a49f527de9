"""One app's callers in each vendor's words."""

import pytest
from connectycube_calls import Cube
from kumulos_calls import Caller, basic


@pytest.fixture
def backend(client, new_app) -> Caller:
    return Caller(client, basic(new_app.api_key, new_app.server_key))


@pytest.fixture
def device(client, new_app) -> Caller:
    return Caller(client, basic(new_app.api_key, new_app.secret_key))


@pytest.fixture
def cube(client, new_app) -> Cube:
    """Give a caller without a token, who knows the application's keys."""
    return Cube(client, new_app)
