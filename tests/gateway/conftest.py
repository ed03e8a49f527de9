"""The web stack as it runs, built once."""

import pytest
from django.test import Client, override_settings
from django.test.client import ClientHandler


@pytest.fixture(scope="session")
def stack():
    """Give the middleware stack, built once: it looks for static files in every app."""
    handler = ClientHandler(enforce_csrf_checks=False)
    with override_settings(STATIC_ROOT=None):  # whitenoise warns where nothing was collected
        handler.load_middleware()
    return handler


@pytest.fixture
def client(stack):
    client = Client()
    client.handler = stack
    return client
