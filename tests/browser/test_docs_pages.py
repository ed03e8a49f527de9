"""The documentation, read in a browser."""

from playwright.sync_api import expect

from tests.browser.conftest import PHONE
from tests.browser.person import overflows


def test_the_quick_start_is_found_and_read(page, live_server):
    page.goto(f"{live_server.url}/docs/")
    page.get_by_role("main").get_by_role("link", name="Quick start").first.click()
    expect(page.get_by_role("heading", name="Say something to everybody")).to_be_visible()
    page.set_viewport_size(PHONE)
    assert overflows(page) == 0


def test_a_route_is_found_with_an_example(page, live_server):
    page.goto(f"{live_server.url}/docs/api/")
    page.get_by_label("Find").fill("send a notification, now")
    shown = page.locator("#operations > details:visible")
    expect(shown).to_have_count(2)  # of both send APIs
    shown.first.locator("summary").first.click()
    expect(shown.first.get_by_text("send-broadcast-curl").first).to_be_visible()
    page.set_viewport_size(PHONE)
    assert overflows(page) == 0
