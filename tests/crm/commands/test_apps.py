from datetime import timedelta

import pytest
from django.utils import timezone

from crm.commands.apps import create_app
from crm.models import App, AppKey
from crm.sealing import unseal

pytestmark = pytest.mark.django_db

Kind = AppKey.Kind


def opened(new, kind, secret):
    return App.objects.opened_by(kind=kind, api_key=new.api_key, secret=secret)


def test_each_key_opens_its_own_door_alone(new_app):
    assert opened(new_app, Kind.SERVER, new_app.server_key) == new_app.app
    assert opened(new_app, Kind.DEVICE, new_app.secret_key) == new_app.app
    assert opened(new_app, Kind.DEVICE, new_app.server_key) is None
    assert opened(new_app, Kind.SERVER, new_app.secret_key) is None


def test_a_key_does_not_open_another_app(new_app):
    other = create_app(name="Other")

    assert opened(other, Kind.SERVER, new_app.server_key) is None


@pytest.mark.parametrize("secret", ["", "x", "\0", "é" * 40])
def test_strange_secrets_open_nothing(new_app, secret):
    assert opened(new_app, Kind.SERVER, secret) is None
    assert App.objects.opened_by(kind=Kind.SERVER, api_key=secret, secret=secret) is None


def test_a_rotated_key_opens_until_its_time_is_over(new_app):
    keys = AppKey.objects.filter(kind=Kind.SERVER)
    keys.update(expires_at=timezone.now() + timedelta(hours=1))
    assert opened(new_app, Kind.SERVER, new_app.server_key)

    keys.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert opened(new_app, Kind.SERVER, new_app.server_key) is None


def test_keys_are_what_public_clients_accept(new_app):
    for key in (new_app.server_key, new_app.secret_key):
        assert len(key) == 36
        assert key.replace("+", "a").isalnum()


def test_no_key_is_stored_in_clear(new_app):
    rows = str(list(AppKey.objects.values_list()))

    for key in (new_app.server_key, new_app.secret_key, new_app.auth_key, new_app.auth_secret):
        assert key not in rows


def test_the_key_that_signs_can_be_read_again(new_app):
    signing = AppKey.objects.get(kind=Kind.SIGNING)

    assert unseal(signing.sealed) == new_app.auth_secret
