"""A push is composed in a browser: seen, measured, counted, planned, and sent once."""

import json
from datetime import timedelta

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from crm.models import Channel, Install, Segment, User
from delivery.models import Notification
from tests.browser.conftest import PHONE
from tests.browser.person import overflows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def town(phones, credentials):
    """Phones in three zones, of people with plans and tags, and some that are not reached."""
    with transaction.atomic():
        _settle(phones)
    return phones


def _settle(phones):
    zones = ["Europe/Berlin", "America/New_York", "Asia/Tokyo", ""]
    for n in range(12):
        transport = "fcm" if n % 3 == 0 else "apns"
        phones.ring(f"{transport}-{n}", user=f"user-{n}", transport=transport)
        Install.objects.filter(uid=f"{transport}-{n}").update(
            timezone=zones[n % 4], os="Android" if transport == "fcm" else "iOS"
        )
    User.objects.filter(uid__in=["user-1", "user-2"]).update(attributes={"plan": "gold"})
    off = phones.ring("off", user="user-13")
    type(off).objects.filter(pk=off.pk).update(enabled=False)
    phones.install("mute", user="user-14")


@pytest.fixture
def composer(desk, live_server, app, town):
    desk.goto(live_server.url + reverse("admin:compose"))
    return desk


def devices(page):
    return page.locator('#reach [data-count="devices"]')


def write(page, title="Spring sale", body="Everything is half price until Sunday."):
    page.get_by_label("Title").fill(title)
    page.get_by_label("Body").fill(body)


def test_a_push_is_composed_reviewed_and_sent(composer, live_server, app):
    write(composer)
    expect(composer.locator(".c-iphone .c-title")).to_have_text("Spring sale")
    expect(composer.locator(".c-android .c-body")).to_contain_text("half price")
    expect(composer.locator('[data-size="apns"] [data-bytes]')).to_contain_text("of 4,096 bytes")
    expect(composer.locator('[data-size="fcm"] [data-bytes]')).to_contain_text("of 4,096 bytes")
    composer.get_by_label("Everyone").check()
    expect(devices(composer)).to_have_text("12")
    expect(composer.locator('[data-table="unreached"]')).to_contain_text("switched notifications")
    expect(composer.locator('[data-table="ways"]')).to_contain_text("ready")
    composer.get_by_role("button", name="Review").click()
    expect(composer.get_by_role("heading", name="To 12 devices of Example, now")).to_be_visible()
    expect(composer.get_by_text("Rehearsed: 1 firing")).to_be_visible()
    assert not Notification.objects.exists()
    composer.get_by_role("button", name="Send", exact=True).dblclick()
    expect(composer.locator("#send")).to_be_visible()
    notification = Notification.objects.get()
    assert composer.url == live_server.url + reverse("admin:send", args=[notification.pk])
    assert notification.operator == "olga"


def test_a_message_too_large_is_seen_while_it_is_typed(composer):
    write(composer, body="x" * 4000)
    composer.get_by_text("Buttons, data, badge").click()
    composer.get_by_label("Data").fill(json.dumps({"more": "y" * 500}))
    expect(composer.locator(".c-over")).to_have_count(2)
    expect(composer.locator('[data-error="body"]')).not_to_be_empty()
    composer.get_by_label("Data").fill("{")
    expect(composer.locator('[data-error="custom"]')).to_contain_text("Is no JSON")


def test_a_segment_is_built_said_counted_kept_and_used(composer, app):
    composer.get_by_text("Build a new segment").click()
    builder = composer.locator(".c-builder")
    builder.get_by_label("Name of the attribute").fill("plan")
    builder.get_by_label("Value", exact=True).fill("gold")
    expect(builder.get_by_text("people whose plan is gold")).to_be_visible()
    expect(builder.get_by_text("2 users, 2 installs, 2 devices reachable now")).to_be_visible()
    builder.get_by_role("button", name="Add group").click()
    inner = builder.locator(".sb-group .sb-group")
    inner.get_by_label("Field").select_option("platform")
    expect(builder.get_by_text("whose plan is gold and whose platform is ios")).to_be_visible()
    inner.locator("> legend").get_by_label("not").check()
    expect(builder.get_by_text("whose platform is not ios")).to_be_visible()
    inner.get_by_role("button", name="Remove group").click()
    builder.get_by_label("Name of the segment").fill("Gold")
    builder.get_by_role("button", name="Save and use").click()
    expect(composer.locator('[data-picker="segments"] .c-chips')).to_contain_text("Gold")
    expect(devices(composer)).to_have_text("2")
    expect(composer.locator("[data-words]")).to_contain_text("people whose plan is gold")
    assert Segment.objects.get().rule["where"] == {
        "all": [{"field": "attribute", "op": "equals", "name": "plan", "value": "gold"}]
    }


def test_a_bad_node_of_a_rule_is_pointed_at(composer):
    composer.get_by_text("Build a new segment").click()
    builder = composer.locator(".c-builder")
    builder.get_by_label("Field").select_option("app_version")
    builder.get_by_label("Value", exact=True).fill("newest")
    expect(builder.locator(".sb-wrong")).to_contain_text("rule.where.all[0].value")
    expect(builder.locator(".sb-bad")).to_have_count(1)
    builder.get_by_label("Value", exact=True).fill("10.2")
    expect(builder.locator(".sb-bad")).to_have_count(0)


def test_the_builder_is_on_the_segments_own_page_too(desk, live_server, app, town):
    rule = {
        "version": 1,
        "where": {
            "all": [
                {"not": {"field": "attribute", "name": ["a", "b"], "op": "in", "value": [1, "1"]}},
                {"any": [{"field": "last_active", "op": "within_days", "value": 30}]},
            ]
        },
    }
    segment = Segment.objects.create(app=app, name="Kept", rule=rule)
    desk.goto(live_server.url + reverse("admin:crm_segment_change", args=[segment.pk]))
    expect(desk.get_by_text("users,").first).to_be_visible()
    desk.get_by_role("button", name="Save", exact=True).click()
    expect(desk.get_by_text("was changed successfully")).to_be_visible()
    segment.refresh_from_db()
    assert segment.rule == rule


def test_the_plan_of_a_local_send_is_seen_before_it_is_sent(composer):
    write(composer)
    composer.get_by_label("Everyone").check()
    composer.get_by_label("When", exact=True).select_option("local")
    day = timezone.now() + timedelta(days=20)
    composer.get_by_label("Moment").fill(f"{day:%Y-%m-%d}T09:00")
    plan = composer.locator('[data-table="plan"] tbody tr')
    expect(plan).to_have_count(4)
    expect(plan.first).to_contain_text("Asia/Tokyo")
    expect(plan.last).to_contain_text("America/New_York")
    composer.get_by_role("button", name="Review").click()
    composer.get_by_role("button", name="Schedule").click()
    expect(composer.locator("[data-is=scheduled]")).to_be_visible()
    assert Notification.objects.get().occurrences.count() == 4


def test_it_all_works_with_the_keyboard(composer, app):
    Channel.objects.create(app=app, uuid="news", name="News")
    composer.get_by_label("Title").focus()
    composer.keyboard.type("Typed")
    composer.keyboard.press("Tab")
    composer.keyboard.type("Without a mouse.")
    composer.get_by_label("Channels").focus()
    composer.keyboard.type("Ne")
    expect(composer.locator('[data-picker="channels"] .c-found button')).to_have_text(["News"])
    composer.keyboard.press("ArrowDown")
    composer.keyboard.press("Enter")
    expect(composer.locator('[data-picker="channels"] .c-chips')).to_contain_text("News")
    composer.get_by_label("Everyone").focus()
    composer.keyboard.press("Space")
    expect(devices(composer)).to_have_text("12")
    composer.get_by_role("button", name="Review").focus()
    composer.keyboard.press("Enter")
    composer.get_by_role("button", name="Send", exact=True).focus()
    composer.keyboard.press("Enter")
    expect(composer.locator("#send")).to_be_visible()


def test_a_test_is_sent_from_the_form(composer):
    write(composer)
    composer.get_by_label("Installs to test on").fill("apns-1")
    composer.get_by_role("button", name="Send a test now").click()
    expect(composer.get_by_text("Sent to 1 install.")).to_be_visible()
    composer.get_by_label("Installs to test on").fill("nobody")
    composer.get_by_role("button", name="Send a test now").click()
    expect(composer.get_by_text("No such install: nobody")).to_be_visible()
    assert Notification.objects.get().name == "Test"


def test_many_devices_need_their_number(composer, monkeypatch):
    monkeypatch.setattr("gateway.console.compose.composition.ASK_TO_TYPE", 10)
    write(composer)
    composer.get_by_label("Everyone").check()
    composer.get_by_role("button", name="Review").click()
    composer.get_by_label("Type 12 to send it").fill("11")
    composer.get_by_role("button", name="Send", exact=True).click()
    expect(composer.get_by_text("Type 12 to send it.")).to_be_visible()
    composer.get_by_role("button", name="Change something").click()
    expect(composer.get_by_label("Title")).to_have_value("Spring sale")
    assert not Notification.objects.exists()


def test_a_phone_shows_all_of_it(composer):
    composer.set_viewport_size(PHONE)
    write(composer)
    composer.get_by_label("Everyone").check()
    composer.get_by_text("Build a new segment").click()
    composer.get_by_text("Buttons, data, badge").click()
    expect(devices(composer)).to_have_text("12")
    assert overflows(composer) == 0
    composer.get_by_role("button", name="Review").click()
    expect(composer.get_by_text("Rehearsed")).to_be_visible()
    assert overflows(composer) == 0
