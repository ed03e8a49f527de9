"""A send is watched in a browser, against the pages alone: no worker but this test."""

import pytest
from django.core.cache import cache
from django.db import transaction
from django.urls import reverse
from playwright.sync_api import expect

from delivery import dispatch, fanout
from tests.browser.conftest import PHONE
from tests.browser.person import overflows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(sends, phones, memory):
    cache.clear()
    memory({"apns-apns-1": "unregistered", "fcm-fcm-0": "rejected"})
    with transaction.atomic():
        phones.many(30)
        phones.many(20, transport="fcm")
    occurrence = sends.to_everyone(
        title="Spring sale", body="Everything is half price until Sunday, in all our shops."
    )
    list(fanout.plan_batches(occurrence.pk))
    return occurrence.notification


@pytest.fixture
def watched(desk, live_server, sent):
    desk.goto(live_server.url + reverse("admin:send", args=[sent.pk]))
    return desk


def test_numbers_move_while_one_watches(watched, sent):
    expect(watched.locator("[data-is=sending]")).to_be_visible()
    expect(watched.locator('[data-rows="waits"]')).to_contain_text("in line for a worker")
    while dispatch.deliver_next("bulk"):
        pass
    expect(watched.locator("[data-is=sent]")).to_be_visible()
    expect(watched.locator('[data-step="accepted"] dd')).to_have_text("48")
    expect(watched.locator('[data-rows="reasons"]')).to_contain_text("unregistered")
    expect(watched.locator('[data-rows="platforms"]')).to_contain_text("Android (FCM)")
    expect(watched.locator("[data-actions]")).to_be_hidden()
    for summary in ('[data-text="summary"]', "[data-heard]"):
        expect(watched.locator(summary)).to_have_text("sent: 48 of 50 accepted, 0 pending")


def test_a_send_is_paused_and_resumed_by_keyboard(watched):
    watched.get_by_role("button", name="Pause").focus()
    watched.keyboard.press("Enter")
    expect(watched.get_by_text("Paused: 0 of 50 have it")).to_be_visible()
    expect(watched.locator("[data-is=paused]")).to_be_visible()
    watched.get_by_role("button", name="Resume").focus()
    watched.keyboard.press("Enter")
    expect(watched.get_by_text("Resumed: 0 of 50 have it")).to_be_visible()
    watched.get_by_text("Cancel …").click()
    watched.get_by_role("button", name="Cancel what is not sent").click()
    expect(watched.get_by_text("Cancelled: 0 of 50 have it")).to_be_visible()


def test_the_table_is_taken_away(watched):
    while dispatch.deliver_next("bulk"):
        pass
    with watched.expect_download() as download:
        watched.get_by_role("link", name="Export as CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 51


def test_without_scripts_the_numbers_are_there(watched, chromium):
    signed_in = watched.context.storage_state()
    context = chromium.new_context(java_script_enabled=False, storage_state=signed_in)
    page = context.new_page()
    page.goto(watched.url)
    expect(page.get_by_text("0 of 50 accepted, 50 pending")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused: 0 of 50 have it")).to_be_visible()
    context.close()


def test_a_phone_shows_all_of_it(watched):
    while dispatch.deliver_next("bulk"):
        pass
    watched.set_viewport_size(PHONE)
    expect(watched.locator("[data-is=sent]")).to_be_visible()
    assert overflows(watched) == 0
