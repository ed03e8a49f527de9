"""Keys: rotated with an overlap, revoked at once, and visibly of a test app."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.utils import timezone

from crm.commands.apps import create_app, create_test_twin
from crm.commands.keys import KEY_ALPHABET, KEY_LENGTH, live_keys, revoke_key, rotate_key
from crm.errors import Conflict, Invalid, NotFound
from crm.models import App, AppKey, Membership
from crm.models.membership import Role

Kind = AppKey.Kind
HOUR = timedelta(hours=1)


def opens(new, secret, kind=Kind.SERVER):
    return App.objects.opened_by(kind=kind, api_key=new.api_key, secret=secret) is not None


def test_the_old_key_opens_until_the_overlap_is_over(new_app):
    new = rotate_key(new_app.app, Kind.SERVER, overlap=HOUR)
    assert opens(new_app, new.secret)
    assert opens(new_app, new_app.server_key)
    assert opens(new_app, new_app.secret_key, Kind.DEVICE)
    AppKey.objects.filter(expires_at=new.old_until).update(expires_at=Now())
    assert opens(new_app, new.secret)
    assert not opens(new_app, new_app.server_key)


def test_without_an_overlap_the_old_key_ends_at_once(new_app):
    rotate_key(new_app.app, Kind.SERVER, overlap=timedelta())
    assert not opens(new_app, new_app.server_key)


def test_a_second_rotation_does_not_lengthen_the_life_of_the_first_key(new_app):
    rotate_key(new_app.app, Kind.SERVER, overlap=HOUR)
    rotate_key(new_app.app, Kind.SERVER, overlap=9 * HOUR)
    first = AppKey.objects.filter(app=new_app.app, kind=Kind.SERVER).order_by("id").first()
    assert first.expires_at <= timezone.now() + HOUR


def test_a_form_sent_twice_rotates_once(new_app):
    newest = AppKey.objects.get(app=new_app.app, kind=Kind.SERVER).pk
    rotate_key(new_app.app, Kind.SERVER, overlap=HOUR, newest_id=newest)
    with pytest.raises(Conflict):
        rotate_key(new_app.app, Kind.SERVER, overlap=HOUR, newest_id=newest)


@pytest.mark.parametrize(
    ("kind", "overlap"),
    [(Kind.VAPID, HOUR), (Kind.SERVER, -HOUR), (Kind.SERVER, timedelta(days=366))],
)
def test_a_senseless_rotation_is_refused(app, kind, overlap):
    with pytest.raises(Invalid):
        rotate_key(app, kind, overlap=overlap)


def test_a_revoked_key_opens_nothing(new_app):
    key = next(k for k in live_keys(new_app.app) if k.kind == Kind.SERVER)
    revoke_key(new_app.app, key.pk)
    assert not opens(new_app, new_app.server_key)
    with pytest.raises(NotFound):
        revoke_key(new_app.app, key.pk)


def test_no_key_of_another_app_is_revoked(new_app):
    other = create_app(name="Other")
    key = next(k for k in live_keys(other.app) if k.kind == Kind.SERVER)
    with pytest.raises(NotFound):
        revoke_key(new_app.app, key.pk)


def test_the_key_browsers_subscribed_under_stays(app):
    key = next(k for k in live_keys(app) if k.kind == Kind.VAPID)
    with pytest.raises(Conflict):
        revoke_key(app, key.pk)


def test_a_signing_key_can_be_read_again_after_rotation(app):
    new = rotate_key(app, Kind.SIGNING, overlap=HOUR)
    assert new.secret not in str(AppKey.objects.filter(app=app).values_list("fingerprint"))
    newest = AppKey.objects.filter(app=app, kind=Kind.SIGNING).latest("id")
    assert newest.sealed is not None


def test_a_test_twin_has_the_settings_and_operators_and_keys_that_show_it(
    new_app, django_user_model
):
    operator = django_user_model.objects.create_user("ann", is_staff=True)
    Membership.objects.create(operator=operator, app=new_app.app, role=Role.SENDER)
    App.objects.filter(pk=new_app.app.pk).update(cube_creates_users=True)
    live = App.objects.get(pk=new_app.app.pk)
    twin = create_test_twin(live)
    assert twin.app.is_test
    assert twin.app.live_app == live
    assert twin.app.cube_creates_users
    assert Membership.objects.get(app=twin.app).role == Role.SENDER
    for secret in (twin.secret_key, twin.server_key, twin.auth_key, twin.auth_secret):
        assert secret.startswith("test")
        assert len(secret) == KEY_LENGTH
        assert set(secret) <= set(KEY_ALPHABET)
    assert rotate_key(twin.app, Kind.SERVER, overlap=HOUR).secret.startswith("test")


def test_there_is_one_twin_and_none_of_a_twin(new_app):
    twin = create_test_twin(new_app.app)
    with pytest.raises(Conflict):
        create_test_twin(new_app.app)
    with pytest.raises(Invalid):
        create_test_twin(twin.app)


def test_the_keys_of_a_twin_open_nothing_of_the_live_app(new_app):
    twin = create_test_twin(new_app.app)
    assert not opens(new_app, twin.server_key)
    assert not opens(twin, new_app.server_key)


def test_the_command_prints_the_new_key_and_until_when_the_old_one_opens(new_app, capsys):
    call_command("rotate_key", str(new_app.app.pk), "server", "--overlap", "2", "--json")
    said = json.loads(capsys.readouterr().out)
    assert opens(new_app, said["key"])
    assert opens(new_app, new_app.server_key)
    assert said["old_until"]
    call_command("rotate_key", str(new_app.app.pk), "server")
    assert "server key" in capsys.readouterr().out


@pytest.mark.parametrize("said", [("0", "server"), ("{app}", "server", "--overlap", "-1")])
def test_the_command_refuses_in_one_line(app, said):
    with pytest.raises(CommandError):
        call_command("rotate_key", *[word.format(app=app.pk) for word in said])
