"""`GET /v1/web/config` (contracts/kumulos §2.4)."""

from base64 import urlsafe_b64decode

from crm.commands.apps import ChangeApp, change_app
from crm.models import App

PATH = "/v1/web/config"


def test_a_new_app_has_a_key_and_nothing_else(device, app):
    answer = device.ask("GET", PATH)
    assert answer.status_code == 200
    said = answer.json()
    assert list(said) == ["publicKey", "iconUrl", "prompts", "safariPushId"]
    point = urlsafe_b64decode(said["publicKey"] + "=")
    assert (len(point), point[0]) == (65, 4), "an uncompressed P-256 point"
    assert (said["iconUrl"], said["prompts"], said["safariPushId"]) == (None, {}, None)


def test_an_app_made_before_there_were_keys_has_an_empty_one(device, app):
    App.objects.update(web_push_public_key="")
    assert device.ask("GET", PATH).json()["publicKey"] == ""


def test_what_the_operator_set_is_told(device, app):
    prompts = {"bell": {"type": "bell", "labels": None}}
    change_app(
        ChangeApp(
            app=app,
            web_icon_url="https://example.com/icon.png",
            web_prompts=prompts,
            safari_push_id="web.com.example",
        )
    )
    said = device.ask("GET", PATH).json()
    assert said["iconUrl"] == "https://example.com/icon.png"
    assert (said["prompts"], said["safariPushId"]) == (prompts, "web.com.example")


def test_each_app_has_its_own(device, other_device):
    ours, theirs = (it.ask("GET", PATH).json()["publicKey"] for it in (device, other_device))
    assert ours != theirs


def test_only_the_device_key_opens_it_and_any_page_may_ask(device, backend):
    assert device.ask("GET", PATH).headers["Access-Control-Allow-Origin"] == "*"
    assert device.client.options(PATH).status_code == 204
    refusal = backend.ask("GET", PATH)
    assert refusal.status_code == 401
    assert refusal.headers["Access-Control-Allow-Origin"] == "*"
    assert device.ask("POST", PATH, {}).status_code == 405
