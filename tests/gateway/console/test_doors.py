"""Every page of the console, tried by everybody who must not get in."""

import pytest
from django.urls import reverse

from crm.commands.apps import create_app
from crm.models import Segment
from crm.models.membership import Role
from delivery.models import Notification
from gateway.console.urls import console_urls

pytestmark = pytest.mark.django_db

COMPOSING = {
    "compose": "get",
    "compose_check": "post",
    "compose_reach": "post",
    "compose_rule": "post",
    "compose_segment": "post",
    "compose_names": "get",
    "compose_test": "post",
    "compose_review": "post",
    "compose_again": "post",
    "compose_send": "post",
}
WATCHING = {"send": "get", "send_progress": "get", "send_export": "get"}
STOPPING = {"send_stop": "post"}


def ask(client, name, app, notification=None):
    method = {**COMPOSING, **WATCHING, **STOPPING}[name]
    said = {"app": app.pk, "kind": "segments", "rule": "{}", "deed": "pause"}
    args = [notification.pk] if notification else []
    return getattr(client, method)(reverse(f"admin:{name}", args=args), said)


def test_the_list_of_pages_is_complete():
    ours = {page.name for page in console_urls() if page.name.startswith(("compose", "send"))}
    assert ours == {*COMPOSING, *WATCHING, *STOPPING}


@pytest.mark.parametrize("name", COMPOSING)
def test_only_senders_compose(name, app, client, signed_in, django_user_model):
    assert ask(client, name, app).url.startswith("/admin/login/")
    client.force_login(django_user_model.objects.create_user("customer"))
    assert ask(client, name, app).url.startswith("/admin/login/")
    assert ask(signed_in("nobody"), name, app).status_code == 403
    assert ask(signed_in("viewer", Role.VIEWER, app), name, app).status_code == 403


@pytest.mark.parametrize("name", COMPOSING)
def test_another_app_is_not_there(name, app, signed_in):
    other = create_app(name="Other").app
    foreigner = signed_in("foreigner", Role.ADMIN, other)
    assert ask(foreigner, name, app).status_code == 404
    for strange in ("", "x", "-1", "9" * 30, "٣"):
        app.pk = strange
        assert ask(foreigner, name, app).status_code == 404


@pytest.mark.parametrize("name", {**WATCHING, **STOPPING})
def test_a_send_is_watched_by_its_apps_operators_only(name, app, client, signed_in, sends):
    notification = sends.to_everyone().notification
    assert ask(client, name, app, notification).url.startswith("/admin/login/")
    other = create_app(name="Other").app
    foreigner = signed_in("foreigner", Role.ADMIN, other)
    assert ask(foreigner, name, app, notification).status_code == 404
    viewer = ask(signed_in("viewer", Role.VIEWER, app), name, app, notification)
    assert viewer.status_code == (403 if name in STOPPING else 200)
    notification.pk = 10**12
    assert ask(foreigner, name, app, notification).status_code == 404


def test_an_admin_of_one_app_only_views_another(app, signed_in, sends):
    other = create_app(name="Other").app
    client = signed_in("two", Role.VIEWER, app)
    from crm.models import Membership

    Membership.objects.create(operator_id=client.session["_auth_user_id"], app=other, role=3)
    notification = sends.to_everyone().notification
    assert ask(client, "send", app, notification).status_code == 200
    assert ask(client, "send_stop", app, notification).status_code == 403
    for name in COMPOSING:
        if name != "compose":
            assert ask(client, name, app).status_code == 404
    again = client.get(reverse("admin:compose"), {"from": notification.pk})
    assert again.status_code == 403


def test_segments_and_channels_of_another_app_cannot_be_named(sender, form, signed_in):
    other = create_app(name="Other").app
    rule = {"version": 1, "where": {"field": "tag", "op": "exists"}}
    theirs = Segment.objects.create(app=other, name="Theirs", rule=rule)
    asked = {**form, "everyone": "", "segments": theirs.pk}
    assert sender.post(reverse("admin:compose_review"), asked).status_code == 422
    assert "segments" in sender.post(reverse("admin:compose_reach"), asked).json()["errors"]
    found = sender.get(reverse("admin:compose_names"), {"app": form["app"], "kind": "segments"})
    assert found.json() == {"names": []}
    assert not Notification.objects.exists()
