"""An operator makes an app, renews its key, uploads a credential and looks a user up."""

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.browser.conftest import fits_a_phone
from tests.delivery.commands.test_credential_files import P256, pem_of
from tests.gateway.admin.conftest import fill


def test_an_app_is_made_and_its_key_renewed_by_keyboard(desk, live_server):
    desk.goto(live_server.url + reverse("admin:crm_app_add"))
    fits_a_phone(desk)
    name = desk.get_by_label("Name")
    expect(name).to_have_attribute("autofocus", "")
    name.focus()  # a browser whose window is not in front does not do it
    desk.keyboard.type("Shop")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("This page cannot be opened again")).to_be_visible()
    assert desk.locator("code").count() == 6
    fits_a_phone(desk)
    shown = desk.locator("code").nth(3).inner_text()
    desk.get_by_role("link", name="I have copied what I need").click()
    expect(desk.get_by_role("region", name="Keys")).to_be_visible()
    assert shown not in desk.content()
    fits_a_phone(desk)
    group = desk.get_by_role("group", name="When the present server key ends")
    group.locator("select").select_option("168")
    group.locator("select").press("Tab")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("The key before it opens until")).to_be_visible()
    assert desk.locator("code").inner_text() != shown
    desk.go_back()
    assert shown not in desk.content()


def test_the_test_app_is_one_click_away(desk, live_server, app):
    desk.goto(live_server.url + reverse("admin:crm_app_change", args=[app.pk]))
    desk.get_by_role("button", name="Create the test app").click()
    expect(desk.get_by_text("its pushes reach the simulator only")).to_be_visible()
    expect(desk.locator("code").nth(3)).to_have_text(re.compile("^test"))


def test_a_credential_is_refused_beside_its_field_then_stored(desk, live_server, app):
    desk.goto(live_server.url + reverse("admin:delivery_providercredential_add"))
    fits_a_phone(desk)
    desk.locator("select[name=app]").select_option(str(app.pk))
    key = {"name": "AuthKey.p8", "mimeType": "text/plain"}
    desk.locator("input[type=file]").set_input_files({**key, "buffer": pem_of(P256)})
    desk.get_by_role("button", name="Check and store").click()
    expect(desk.get_by_text("is needed with a signing key").first).to_be_visible()
    desk.locator("input[type=file]").set_input_files({**key, "buffer": pem_of(P256)})
    for name, value in (("key_id", "ABCDEFGHIJ"), ("team_id", "KLMNOPQRST"), ("topic", "com.x")):
        desk.locator(f"input[name={name}]").fill(value)
    desk.get_by_role("button", name="Check and store").click()
    expect(desk.get_by_text("Stored, checked and sealed")).to_be_visible()
    fits_a_phone(desk)
    desk.get_by_role("link", name="Send a test push").click()
    desk.get_by_label(re.compile("Token number")).fill("nobody's phone")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("is nobody's in this app")).to_be_visible()
    fits_a_phone(desk)


@pytest.mark.parametrize(
    "found",
    [
        ("crm_user", "user-1", "Recent pushes"),
        ("crm_install", "install-1", "Tokens"),
        ("crm_devicetoken", "install-1", "Installs"),
    ],
)
def test_somebody_is_found_with_their_devices(desk, live_server, app, found):
    name, term, shown = found
    fill(app, range(3))
    desk.goto(live_server.url + reverse(f"admin:{name}_changelist"))
    desk.locator("#searchbar").fill(term)
    desk.keyboard.press("Enter")
    rows = desk.locator("#result_list tbody tr")
    expect(rows).to_have_count(1)
    rows.get_by_role("link").first.click()
    expect(desk.get_by_role("region", name=shown)).to_be_visible()
    fits_a_phone(desk)


def test_open_breakers_come_first(desk, live_server, app):
    from delivery.models import Breaker

    fill(app, range(2))
    Breaker.objects.filter(pk=Breaker.objects.earliest("pk").pk).update(state="open")
    desk.goto(live_server.url + reverse("admin:delivery_breaker_changelist"))
    region = desk.get_by_role("region", name="Open now")
    expect(region.get_by_text("InvalidToken")).to_be_visible()
    fits_a_phone(desk)
