"""Callers in the vendor's words: a backend with its server key, an SDK with its device key."""

import uuid
from typing import Any

import pytest
from kumulos_calls import Caller, basic

from crm.commands.apps import create_app

SENT_AT = 1_600_000_000_000  # 2020-09-13T12:26:40Z, a device's clock in the past


@pytest.fixture
def other_app(db):
    return create_app(name="Other")


@pytest.fixture
def other_backend(client, other_app) -> Caller:
    return Caller(client, basic(other_app.api_key, other_app.server_key))


@pytest.fixture
def other_device(client, other_app) -> Caller:
    return Caller(client, basic(other_app.api_key, other_app.secret_key))


@pytest.fixture
def event():
    """Give an event as SDKs build it, with a uuid of its own."""

    def build(kind: str, data: Any = None, **members: Any) -> dict[str, Any]:
        return {
            "type": kind,
            "uuid": str(uuid.uuid4()),
            "timestamp": SENT_AT,
            "data": data,
            "userId": None,
            **members,
        }

    return build
