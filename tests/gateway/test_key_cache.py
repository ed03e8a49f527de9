"""A pair of keys that opened an app is believed for a moment, and no longer."""

from datetime import timedelta

import pytest

from crm.models import App, AppKey
from gateway.kumulos import auth
from gateway.kumulos.auth import KeyCache

DEVICE, SERVER = AppKey.Kind.DEVICE, AppKey.Kind.SERVER


@pytest.fixture
def clock(monkeypatch):
    """Give a clock that stands still; its one entry is the time."""
    hands = [1000.0]
    monkeypatch.setattr(auth.time, "monotonic", lambda: hands[0])
    return hands


@pytest.fixture
def ask(new_app):
    """Give the app a pair opens, asked of one cache."""
    cache = KeyCache()

    def opened(*, kind=DEVICE, api_key=new_app.api_key, secret=new_app.secret_key):
        return cache.opened_by(kind=kind, api_key=api_key, secret=secret)

    opened.cache = cache
    return opened


def test_a_herd_asks_once(ask, app, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert [ask() for _ in range(50)] == [app] * 50


def test_a_revoked_key_works_no_longer_than_the_setting_says(ask, app, clock, settings):
    settings.KEY_CACHE = timedelta(seconds=5)
    assert ask() == app
    AppKey.objects.filter(kind=DEVICE).delete()
    clock[0] += 4.9
    assert ask() == app
    clock[0] += 0.1
    assert ask() is None


def test_a_setting_of_zero_switches_it_off(ask, app, settings):
    settings.KEY_CACHE = timedelta(0)
    assert ask() == app
    AppKey.objects.filter(kind=DEVICE).delete()
    assert ask() is None


def test_what_was_wrong_is_asked_again(ask, app):
    assert ask(secret="not yet") is None
    AppKey.objects.filter(kind=DEVICE).update(fingerprint=auth.fingerprint("not yet"))
    assert ask(secret="not yet") == app


def test_a_remembered_pair_opens_its_own_door_of_its_own_app_only(ask, new_app, app):
    assert ask() == app
    assert ask(kind=SERVER) is None
    assert ask(api_key="another") is None
    assert ask(api_key=f"{new_app.api_key}:", secret=new_app.secret_key[1:]) is None


def test_no_secret_is_kept_in_clear(ask, new_app):
    ask()
    assert new_app.secret_key not in repr(ask.cache.__dict__)
    assert new_app.secret_key.encode() not in b"".join(ask.cache._known)


def test_it_never_grows_beyond_its_size(ask, app, monkeypatch):
    monkeypatch.setattr(KeyCache, "LARGEST", 3)
    for n in range(10):
        AppKey.objects.create(app=app, kind=DEVICE, fingerprint=auth.fingerprint(f"k{n}"))
        assert ask(secret=f"k{n}") == app
        assert len(ask.cache._known) <= 3
    assert App.objects.count() == 1
