import pytest
from django.core.cache import cache
from django.test import Client

from crm.models import Membership
from crm.models.membership import Role


@pytest.fixture(autouse=True)
def nothing_remembered():
    """Databases are made anew for each test, and ids begin again: what was counted must go."""
    cache.clear()


@pytest.fixture
def signed_in(web, django_user_model):
    """Give a client signed in as somebody with a role in an app, or without any."""

    def sign_in(name, role=None, app=None):
        user = django_user_model.objects.create_user(name, is_staff=True)
        if role is not None:
            Membership.objects.create(operator=user, app=app, role=role)
        client = Client()
        client.handler = web
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def sender(signed_in, app):
    return signed_in("sally", Role.SENDER, app)


@pytest.fixture
def form(app):
    """A push to everyone, now, as the composer's form says it."""
    return {"app": app.pk, "title": "Hello", "body": "World", "everyone": "on", "when": "now"}
