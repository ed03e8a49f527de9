"""Webhooks, as an operator makes them, looks after them and has them told again."""

import re
from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from crm.models import Membership
from crm.models.membership import Role
from delivery.models import Webhook, WebhookDelivery, WebhookEvent
from delivery.outbox import listeners
from tests.browser.conftest import PASSWORD, PHONE
from tests.browser.person import Person, overflows
from tests.delivery.webhooks.conftest import hurry, tell
from tests.delivery.webhooks.receiver import Receiver, Reply


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings):
    settings.WEBHOOK_ALLOW = [ip_network("127.0.0.0/8")]
    yield
    listeners.forget()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def _happens(webhook, times=1):
    for n in range(times):
        WebhookEvent.objects.create(
            app=webhook.app, lane=0, topic="push.opened", body={"n": n}, at=timezone.now()
        )
    tell()


def _make(desk, live_server, receiver):
    desk.goto(live_server.url + reverse("admin:delivery_webhook_add"))
    desk.locator("#id_app").select_option(index=1)
    desk.get_by_label("Address").fill(receiver.url)
    desk.get_by_label("push.opened").check()
    desk.get_by_role("button", name="Save", exact=True).click()
    secret = desk.locator("#secret").inner_text()
    assert secret.startswith("whsec_")
    return Webhook.objects.get(), secret


def test_a_webhook_is_made_its_secret_shown_once_and_its_deliveries_replayed(
    desk, live_server, app, receiver
):
    webhook, secret = _make(desk, live_server, receiver)
    assert webhook.topics == ["push.opened"]
    desk.set_viewport_size(PHONE)
    assert overflows(desk) == 0
    desk.set_viewport_size({"width": 1280, "height": 900})
    desk.get_by_role("link", name="It is copied").click()
    assert secret not in desk.content()

    receiver.answer = lambda _: Reply(status=503, body=b"not now")
    _happens(webhook)
    desk.reload()
    expect(desk.get_by_text("1 streams wait after a failure")).to_be_visible()
    desk.get_by_role("link", name=re.compile("Deliveries$")).first.click()
    expect(desk.get_by_text("not now")).to_be_visible()
    expect(desk.get_by_text("waiting to be tried again").first).to_be_visible()

    receiver.answer = lambda _: Reply()
    desk.locator("#result_list input[type=checkbox]").first.check()
    desk.locator("select[name=action]").select_option("tell_again")
    desk.get_by_role("button", name="Run").click()
    expect(desk.get_by_text("told again in a moment")).to_be_visible()
    tell()
    desk.reload()
    assert WebhookDelivery.objects.get().state == "delivered"
    assert receiver.calls[-1].is_signed_with(secret)
    desk.set_viewport_size(PHONE)
    assert overflows(desk) == 0


def test_a_webhook_is_stopped_started_replayed_and_given_another_secret(
    desk, live_server, app, receiver
):
    webhook, old = _make(desk, live_server, receiver)
    page = live_server.url + reverse("admin:delivery_webhook_change", args=[webhook.pk])
    _happens(webhook, 3)

    desk.goto(page)
    desk.get_by_role("link", name="New secret").click()
    desk.get_by_role("button", name="Make a new secret").click()
    new = desk.locator("#secret").inner_text()
    assert new != old
    desk.get_by_role("link", name="It is copied").click()
    expect(desk.get_by_text("older ones sign until")).to_be_visible()

    desk.get_by_role("link", name=re.compile("Stop$")).click()
    assert Webhook.objects.get().active  # only asked so far
    desk.get_by_role("button", name="Stop it").click()
    expect(desk.get_by_text("Stopped by an operator.")).to_be_visible()
    desk.get_by_role("link", name=re.compile("Start$")).click()
    desk.get_by_role("button", name="Start it").click()
    expect(desk.get_by_text("Started.")).to_be_visible()

    desk.get_by_role("link", name=re.compile("Replay$")).click()
    box = desk.get_by_label("After the event")
    box.fill("soon")
    box.press("Enter")
    expect(desk.get_by_text("must be the id of an event")).to_be_visible()
    desk.get_by_label("After the event").fill("1")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("Told again after 1, in order.")).to_be_visible()
    receiver.calls.clear()
    hurry(webhook)
    tell()
    assert [event["id"] for event in receiver.events] == ["2", "3"]
    assert receiver.calls[0].is_signed_with(new)
    assert receiver.calls[0].is_signed_with(old)


def test_what_can_be_no_webhook_is_said_at_its_box(desk, live_server, app, receiver):
    desk.goto(live_server.url + reverse("admin:delivery_webhook_add"))
    desk.locator("#id_app").select_option(index=1)
    desk.get_by_label("Address").fill("https://169.254.169.254/latest")
    desk.get_by_label("push.opened").check()
    desk.get_by_role("button", name="Save", exact=True).click()
    expect(desk.get_by_text("is not on the public internet")).to_be_visible()
    assert not Webhook.objects.exists()


@pytest.fixture
def viewer(transactional_db, django_user_model, app):
    vera = django_user_model.objects.create_user("vera", password=PASSWORD, is_staff=True)
    Membership.objects.create(operator=vera, app=app, role=Role.VIEWER)
    return Person("vera", PASSWORD)


def test_a_viewer_sees_deliveries_and_changes_nothing(page, live_server, app, receiver, viewer):
    from delivery.commands.webhooks import WriteWebhook, create_webhook

    ask = WriteWebhook(url=receiver.url, topics=["push.opened"])
    webhook = create_webhook(app=app, ask=ask).webhook
    _happens(webhook)
    viewer.sign_in(page, live_server.url)

    page.goto(live_server.url + reverse("admin:delivery_webhookdelivery_changelist"))
    expect(page.get_by_text("delivered").first).to_be_visible()
    address = reverse("admin:delivery_webhook_rotate", args=[webhook.pk])
    answer = page.goto(live_server.url + address)
    assert answer.status == 403
    assert webhook.secrets.count() == 1
    assert webhook.secrets.filter(expires_at__lt=timezone.now() + timedelta(days=9)).count() == 0
