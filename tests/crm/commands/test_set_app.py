"""`manage.py set_app` and the admin's form: the same settings under the same rules."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from crm.models import App, AuditEntry, Membership
from crm.models.membership import Role

pytestmark = pytest.mark.django_db


def set_app(*arguments: object) -> str:
    out = StringIO()
    call_command("set_app", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_what_is_given_is_set_and_the_rest_is_kept(app):
    set_app(app.pk, "--web-icon-url", "https://example.com/i.png", "--kumulos-v2-status", 200)
    set_app(app.pk, "--web-prompts", '{"bell":{"n":1.5}}', "--safari-push-id", "web.com.example")
    app.refresh_from_db()
    assert app.kumulos_v2_status == 200
    assert app.web_icon_url == "https://example.com/i.png"
    assert app.web_prompts == {"bell": {"n": 1.5}}
    assert app.safari_push_id == "web.com.example"
    assert app.web_push_public_key


def test_empty_values_clear(app):
    App.objects.update(web_icon_url="https://a.example/", web_prompts={"a": 1}, safari_push_id="b")
    set_app(app.pk, "--web-icon-url", "", "--web-prompts", "{}", "--safari-push-id", "")
    app.refresh_from_db()
    assert (app.web_icon_url, app.web_prompts, app.safari_push_id) == ("", {}, "")


def test_the_settings_are_printed_for_people_or_as_json(app):
    assert json.loads(set_app(app.pk, "--json")) == {
        "id": app.pk,
        "rate_limit": None,
        "cap_pushes": None,
        "cap_window": "1 00:00:00",
        "resend_uncertain": "never",
        "kumulos_v2_status": 202,
        "web_icon_url": "",
        "web_prompts": {},
        "safari_push_id": "",
        "cube_signature_required": False,
        "cube_creates_users": False,
        "cube_default_environment": "",
        "cube_event_answer": "auto",
    }
    lines = set_app(app.pk, "--cube-event-answer", "array").splitlines()
    assert lines[-1].split() == ["cube_event_answer", "array"]


def test_connectycubes_settings_are_set_like_the_others(app):
    set_app(app.pk, "--cube-signature-required", "yes", "--cube-creates-users", "yes")
    set_app(app.pk, "--cube-default-environment", "production", "--cube-creates-users", "no")
    app.refresh_from_db()
    assert (app.cube_signature_required, app.cube_creates_users) == (True, False)
    assert app.cube_default_environment == "production"
    set_app(app.pk, "--cube-default-environment", "")
    app.refresh_from_db()
    assert app.cube_default_environment == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--kumulos-v2-status", "201"], "invalid choice"),
        (["--kumulos-v2-status", "ok"], "invalid int"),
        (["--cap-pushes", "0"], "cap_pushes: Ensure this value is greater than or equal to 1"),
        (["--cap-pushes", "101"], "cap_pushes: Ensure this value is less than or equal to 100"),
        (["--cap-pushes", "-1"], "must be a whole number"),
        (["--cap-window", "0:00:59"], "cap_window: Ensure this value is greater than or equal to"),
        (["--cap-window", "P31D"], "cap_window: Ensure this value is less than or equal to"),
        (["--cap-window", "tomorrow"], "must be [days] hours:minutes:seconds"),
        (["--web-icon-url", "javascript:alert(1)"], "web_icon_url: Enter a valid URL."),
        (["--web-icon-url", "https://example.com/" + "x" * 2048], "web_icon_url: "),
        (["--web-prompts", "{"], "web_prompts: is not JSON: "),
        (["--web-prompts", '{"a":NaN}'], "web_prompts: is not JSON: "),
        (["--web-prompts", "[]"], "web_prompts: must be a JSON object"),
        (["--web-prompts", "null"], "web_prompts: must be a JSON object"),
        (["--web-prompts", r'{"a":"\u0000"}'], "null characters are not allowed"),
        (["--safari-push-id", "x" * 256], "safari_push_id: "),
        (["--cube-signature-required", "1"], "invalid choice"),
        (["--cube-default-environment", "sandbox"], "invalid choice"),
        (["--cube-event-answer", "list"], "invalid choice"),
    ],
)
def test_a_bad_value_is_one_clear_line_and_changes_nothing(app, arguments, line):
    with pytest.raises(CommandError) as refusal:
        set_app(app.pk, "--safari-push-id", "web.com.example", *arguments)
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)
    app.refresh_from_db()
    assert app.safari_push_id == ""


def test_an_unknown_app_is_one_clear_line():
    with pytest.raises(CommandError, match="there is no app 123456"):
        set_app(123456)


def test_operators_may_set_the_same_in_the_admin(client, app, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("root", "", "root"))
    page = f"/admin/crm/app/{app.pk}/change/"
    form = {"name": "Renamed", "kumulos_v2_status": 200, "cube_event_answer": "array"}
    form |= {"resend_uncertain": "urgent", "cap_window": "24:00:00"}
    for wrong in ("[1]", "[]", "0"):
        refused = client.post(page, {**form, "web_prompts": wrong})
        assert refused.status_code == 200
        assert "must be a JSON object" in refused.content.decode()
    assert client.post(page, {**form, "web_prompts": '{"a": 1}'}).status_code == 302
    app.refresh_from_db()
    assert (app.name, app.kumulos_v2_status, app.web_prompts) == ("Renamed", 200, {"a": 1})
    assert (app.cube_event_answer, app.resend_uncertain) == ("array", "urgent")


def test_a_cap_is_set_and_lifted(app):
    set_app(app.pk, "--cap-pushes", 3, "--cap-window", "P7D")
    app.refresh_from_db()
    assert (app.cap_pushes, app.cap_window) == (3, timedelta(days=7))
    set_app(app.pk, "--cap-pushes", "", "--cap-window", "36:00:00")
    app.refresh_from_db()
    assert (app.cap_pushes, app.cap_window) == (None, timedelta(hours=36))


def test_a_cap_is_set_in_the_admin_and_written_down(client, app, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("root", "", "root"))
    page = f"/admin/crm/app/{app.pk}/change/"
    shown = client.get(page).content.decode()
    assert "Frequency cap" in shown
    assert "Urgent pushes" in shown
    form = {"name": app.name, "kumulos_v2_status": 202, "cube_event_answer": "auto"}
    form |= {"resend_uncertain": "never", "web_prompts": "{}"}
    for pushes, window, said in (
        ("0", "24:00:00", "greater than or equal to 1"),
        ("-1", "24:00:00", "greater than or equal to"),
        ("101", "24:00:00", "less than or equal to 100"),
        ("1.5", "24:00:00", "Enter a whole number"),
        ("many", "24:00:00", "Enter a whole number"),
        ("3", "00:00:59", "greater than or equal to 0:01:00"),
        ("3", "-1 00:00:00", "greater than or equal to 0:01:00"),
        ("3", "30 00:00:01", "less than or equal to 30 days"),
        ("3", "a day", "Enter a valid duration"),
        ("3", "", "This field is required"),
    ):
        refused = client.post(page, {**form, "cap_pushes": pushes, "cap_window": window})
        assert refused.status_code == 200, (pushes, window)
        assert said in refused.content.decode(), (pushes, window)
        app.refresh_from_db()
        assert app.cap_pushes is None

    done = client.post(page, {**form, "cap_pushes": "3", "cap_window": "7 00:00:00"})

    assert done.status_code == 302
    app.refresh_from_db()
    assert (app.cap_pushes, app.cap_window) == (3, timedelta(days=7))
    entry = AuditEntry.objects.filter(kind="crm.app").latest("id")
    assert (entry.actor, set(entry.changes)) == ("root", {"cap_pushes", "cap_window"})


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SENDER])
def test_only_an_apps_admins_set_its_cap(client, app, django_user_model, role):
    operator = django_user_model.objects.create_user("olga", "", "olga", is_staff=True)
    Membership.objects.create(app=app, operator=operator, role=role)
    client.force_login(operator)
    form = {"name": app.name, "kumulos_v2_status": 202, "cube_event_answer": "auto"}
    form |= {"resend_uncertain": "never", "web_prompts": "{}"}
    form |= {"cap_pushes": "3", "cap_window": "24:00:00"}

    assert client.post(f"/admin/crm/app/{app.pk}/change/", form).status_code == 403
    app.refresh_from_db()
    assert app.cap_pushes is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"cap_pushes": 0},
        {"cap_pushes": 101},
        {"cap_window": timedelta(seconds=59)},
        {"cap_window": timedelta(days=31)},
    ],
)
def test_the_database_keeps_a_cap_in_bounds(app, wrong):
    with pytest.raises(IntegrityError):
        App.objects.filter(pk=app.pk).update(**wrong)


def test_the_admin_shows_no_channel_without_a_name(client, app, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("root", "", "root"))
    page = "/admin/crm/channel/add/"
    form = {"app": app.pk, "uuid": "a", "name": "", "meta": "null", "show_in_portal": "on"}
    assert "needs a name" in client.post(page, form).content.decode()
    assert client.post(page, {**form, "name": "A"}).status_code == 302
    assert app.channels.get().show_in_portal
