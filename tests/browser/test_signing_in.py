"""Second factors by keyboard and on a phone, sessions ended from elsewhere, the audit log."""

import re

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import expect

from tests.access.conftest import forget_attempts
from tests.access.totp import code, wrong
from tests.browser.conftest import PASSWORD, PHONE, fits_a_phone

FACTORS = "/admin/account/second-factor/"


@pytest.fixture(autouse=True)
def nobody_tried_before(transactional_db):
    forget_attempts()


def say_again_who_it_is(page):
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def enrol(page, address):
    """Go through making a second factor by keyboard; give its secret and the recovery codes."""
    page.goto(address + FACTORS)
    fits_a_phone(page)
    page.get_by_role("link", name="Activate").click()
    expect(page).to_have_url(re.compile("reauthenticate"))
    fits_a_phone(page)
    say_again_who_it_is(page)
    secret = page.get_by_label("Authenticator secret").input_value()
    expect(page.get_by_role("img")).to_be_visible()
    fits_a_phone(page)
    page.get_by_label(re.compile("code", re.IGNORECASE)).fill(code(secret))
    page.keyboard.press("Enter")
    codes = page.get_by_label("Unused codes").input_value().split()
    assert len(codes) == 10
    fits_a_phone(page)
    return secret, codes


def leave(page, address):
    page.context.clear_cookies()
    page.goto(f"{address}/admin/login/")


def passes_the_password(page):
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("authenticate"))


def test_a_second_factor_is_made_and_asked_for(desk, live_server):
    secret, codes = enrol(desk, live_server.url)
    leave(desk, live_server.url)
    fits_a_phone(desk)
    passes_the_password(desk)
    fits_a_phone(desk)
    desk.get_by_label("Code").fill(wrong(secret))
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("Incorrect code")).to_be_visible()
    desk.get_by_label("Code").fill(code(secret, steps=1))
    desk.keyboard.press("Enter")
    expect(desk).to_have_url(f"{live_server.url}/admin/")
    leave(desk, live_server.url)
    passes_the_password(desk)
    desk.get_by_label("Code").fill(codes[0])
    desk.keyboard.press("Enter")
    expect(desk).to_have_url(f"{live_server.url}/admin/")


def test_guessing_is_answered_with_a_wait(page, operator, live_server):
    page.goto(f"{live_server.url}/admin/login/")
    for said in [*["wrong"] * 5, PASSWORD]:
        page.get_by_label("Username").fill("olga")
        page.get_by_label("Password").fill(said)
        with page.expect_navigation():  # what is typed before it comes is lost
            page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("Too many")
    fits_a_phone(page)


def test_where_one_is_required_it_is_the_first_thing_an_operator_makes(
    page, operator, live_server, settings
):
    settings.REQUIRE_SECOND_FACTOR = True
    page.goto(f"{live_server.url}/admin/")
    page.get_by_label("Username").fill(operator.name)
    page.get_by_label("Password").fill(operator.password)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("reauthenticate"))
    say_again_who_it_is(page)
    secret = page.get_by_label("Authenticator secret").input_value()
    page.goto(f"{live_server.url}/admin/crm/app/")
    expect(page).to_have_url(re.compile("totp/activate"))
    secret = page.get_by_label("Authenticator secret").input_value()
    page.get_by_label(re.compile("code", re.IGNORECASE)).fill(code(secret))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Unused codes")).to_be_visible()
    page.goto(f"{live_server.url}/admin/crm/app/")
    expect(page).to_have_url(f"{live_server.url}/admin/crm/app/")


def test_a_session_is_ended_from_another_browser(desk, chromium, operator, live_server):
    context = chromium.new_context(viewport=PHONE)
    phone = context.new_page()
    operator.sign_in(phone, live_server.url)
    desk.goto(f"{live_server.url}/admin/account/sessions/")
    fits_a_phone(desk)
    expect(desk.get_by_role("row")).to_have_count(3)
    desk.get_by_role("button", name="End", exact=True).click()
    expect(desk.get_by_role("row")).to_have_count(2)
    phone.goto(f"{live_server.url}/admin/")
    expect(phone).to_have_url(re.compile("/login/"))
    context.close()


def test_a_security_key_is_a_second_factor(desk, live_server):
    devtools = desk.context.new_cdp_session(desk)
    devtools.send("WebAuthn.enable")
    key = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": key})
    desk.goto(f"{live_server.url}{FACTORS}webauthn/add/")
    say_again_who_it_is(desk)
    expect(desk).to_have_url(re.compile("webauthn/add"))
    fits_a_phone(desk)
    desk.get_by_role("button", name="Add").click()
    expect(desk.get_by_label("Unused codes")).to_be_visible()
    assert Authenticator.objects.filter(type="webauthn").count() == 1
    leave(desk, live_server.url)
    passes_the_password(desk)
    desk.get_by_role("button", name="Use a security key").click()
    expect(desk).to_have_url(f"{live_server.url}/admin/")


def test_the_audit_log_tells_what_was_done_and_goes_out_as_a_file(desk, live_server, app):
    desk.goto(f"{live_server.url}/admin/crm/channel/add/")
    desk.get_by_label("Uuid").fill("news")
    desk.get_by_label("Name").fill("Daily news")
    desk.locator("select[name=app]").select_option(str(app.pk))
    desk.get_by_role("button", name="Save", exact=True).click()
    desk.goto(f"{live_server.url}/admin/crm/auditentry/")
    row = desk.get_by_role("row").filter(has_text="channel Daily news")
    expect(row).to_contain_text("olga")
    fits_a_phone(desk)
    with desk.expect_download() as download:
        desk.get_by_role("link", name="Export as CSV").click()
    assert "Daily news" in download.value.path().read_text()
    row.get_by_role("link").first.click()
    expect(desk.locator("table.audit-diff")).to_contain_text("Daily news")
    fits_a_phone(desk)


def test_an_operator_is_made_in_the_admin(desk, live_server, app):
    desk.goto(f"{live_server.url}/admin/auth/user/add/")
    desk.get_by_label("Username").fill("anna")
    desk.locator("input[name=password1]").fill(PASSWORD)
    desk.locator("input[name=password2]").fill(PASSWORD)
    desk.get_by_role("button", name="Save", exact=True).click()
    say_again_who_it_is(desk)
    expect(desk.get_by_text("was added successfully")).to_be_visible()
    fits_a_phone(desk)
