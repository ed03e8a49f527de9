"""`manage.py set_app` and the admin's form: the same settings under the same rules."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from crm.models import App

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
    form["resend_uncertain"] = "urgent"
    for wrong in ("[1]", "[]", "0"):
        refused = client.post(page, {**form, "web_prompts": wrong})
        assert refused.status_code == 200
        assert "must be a JSON object" in refused.content.decode()
    assert client.post(page, {**form, "web_prompts": '{"a": 1}'}).status_code == 302
    app.refresh_from_db()
    assert (app.name, app.kumulos_v2_status, app.web_prompts) == ("Renamed", 200, {"a": 1})
    assert (app.cube_event_answer, app.resend_uncertain) == ("array", "urgent")


def test_the_admin_shows_no_channel_without_a_name(client, app, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("root", "", "root"))
    page = "/admin/crm/channel/add/"
    form = {"app": app.pk, "uuid": "a", "name": "", "meta": "null", "show_in_portal": "on"}
    assert "needs a name" in client.post(page, form).content.decode()
    assert client.post(page, {**form, "name": "A"}).status_code == 302
    assert app.channels.get().show_in_portal
