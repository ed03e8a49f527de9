"""Apps in the admin: made, their keys shown once, renewed with an overlap, revoked."""

import re

import pytest
from django.urls import reverse

from crm.commands.keys import live_keys
from crm.models import App, AppKey
from crm.models.membership import Role

ADD = "/admin/crm/app/add/"


def once_of(page):
    return re.search(r'name="once" value="([^"]+)"', page.content.decode())[1]


def keys_of(page):
    return re.findall(r"<code[^>]*>([^<]+)</code>", page.content.decode())


def to(name, *args):
    return reverse(f"admin:crm_app_{name}", args=args)


def opens(app, secret, kind=AppKey.Kind.SERVER):
    return App.objects.opened_by(kind=kind, api_key=app.api_key, secret=secret) is not None


def test_the_keys_of_a_new_app_are_shown_in_that_answer_alone(db, signed_in):
    client = signed_in()
    form = {"name": "Shop", "once": once_of(client.get(ADD))}
    page = client.post(ADD, form)
    app = App.objects.get(name="Shop")
    _, api_key, secret_key, server_key, _, _ = keys_of(page)
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    assert api_key == app.api_key
    assert opens(app, server_key)
    assert opens(app, secret_key, AppKey.Kind.DEVICE)
    assert server_key not in str(dict(client.session))
    again = client.post(ADD, form)
    assert again.status_code == 302
    assert App.objects.filter(name="Shop").count() == 1
    for url in (to("change", app.pk), to("changelist"), reverse("admin:index")):
        assert server_key not in client.get(url).content.decode()


def test_a_key_is_renewed_and_the_old_one_lives_as_long_as_chosen(new_app, signed_in):
    app, client = new_app.app, signed_in(new_app.app)
    newest = AppKey.objects.get(app=app, kind="server").pk
    form = {"kind": "server", "overlap": "24", "newest": newest}
    page = client.post(to("rotate", app.pk), form)
    [key] = keys_of(page)
    assert "no-store" in page.headers["Cache-Control"]
    assert opens(app, key)
    assert opens(app, new_app.server_key)
    assert client.post(to("rotate", app.pk), form).status_code == 302  # reloaded
    assert AppKey.objects.filter(app=app, kind="server").count() == 2
    old = client.get(to("change", app.pk)).content.decode()
    assert bytes(AppKey.objects.get(pk=newest).fingerprint).hex()[-4:] in old
    assert key not in old
    client.post(to("revoke", app.pk, newest))
    assert not opens(app, new_app.server_key)
    assert opens(app, key)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SENDER])
def test_only_an_admin_of_the_app_touches_its_keys(app, other_app, signed_in, role):
    client = signed_in(app, role=role)
    key = live_keys(app)[0].pk
    for url in (to("rotate", app.pk), to("revoke", app.pk, key), to("twin", app.pk)):
        assert client.post(url, {"kind": "server", "overlap": "0"}).status_code == 403
    assert client.post(to("rotate", other_app.pk)).status_code == 404
    assert client.get(ADD).status_code == 403
    assert b"Renew" not in client.get(to("change", app.pk)).content
    assert AppKey.objects.filter(app=app, expires_at__isnull=False).count() == 0


def test_a_get_renews_nothing(app, signed_in):
    assert signed_in(app).get(to("rotate", app.pk)).status_code == 405


def test_a_live_app_gets_its_test_app_in_one_click(app, signed_in):
    client = signed_in(app)
    page = client.post(to("twin", app.pk))
    twin = App.objects.get(live_app=app)
    assert [key.startswith("test") for key in keys_of(page)[2:]] == [True] * 4
    assert client.post(to("twin", app.pk)).status_code == 302
    shown = client.get(to("change", app.pk)).content.decode()
    assert to("change", twin.pk) in shown
    assert "Create the test app" not in shown
