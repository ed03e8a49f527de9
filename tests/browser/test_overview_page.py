"""The first page of the admin: charts, figures and what is late."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from playwright.sync_api import expect

from crm.commands.count_tokens import count_tokens
from delivery import dispatch, fanout, tally
from delivery.health import health
from delivery.models import Breaker
from tests.browser.conftest import PHONE
from tests.browser.person import overflows


@pytest.fixture
def busy(app, phones, credentials, memory, sends):
    with transaction.atomic():
        phones.many(30)
        phones.many(12, transport="fcm")
    memory({"apns-apns-0": "unregistered", "fcm-fcm-1": "rejected"})
    done = sends.to_everyone()
    list(fanout.plan_batches(done.pk))
    while dispatch.deliver_next("bulk"):
        pass
    health.write()
    tally.add_finished()
    count_tokens(now=timezone.now())
    waiting = sends.to_everyone(title="Still going")
    list(fanout.plan_batches(waiting.pk))
    Breaker.objects.filter(credential=credentials["fcm"]).update(
        state="open", reason="quota exceeded", opened_at=timezone.now()
    )
    return app


def test_the_first_page_tells_how_everything_fares(desk, live_server, busy):
    desk.goto(f"{live_server.url}/admin/")

    short = desk.get_by_label("In short")
    expect(short).to_contain_text("Accepted")
    expect(desk.get_by_text("Breaker open since")).to_be_visible()
    expect(desk.get_by_role("link", name="Still going")).to_be_visible()
    expect(desk.get_by_role("rowheader", name="bulk")).to_be_visible()
    drawn = desk.evaluate(
        "[...document.querySelectorAll('canvas[data-chart]')].map(c => !!Chart.getChart(c))"
    )
    assert len(drawn) == 4
    assert all(drawn)
    desk.set_viewport_size(PHONE)
    assert overflows(desk) == 0


def test_another_time_and_one_app_are_chosen_by_keyboard(desk, live_server, busy):
    desk.goto(f"{live_server.url}/admin/")
    desk.get_by_role("combobox", name="Time").select_option("30 days")
    expect(desk).to_have_url(f"{live_server.url}/admin/?app=&span=30d")
    desk.get_by_role("combobox", name="App").select_option(busy.name)
    expect(desk).to_have_url(f"{live_server.url}/admin/?app={busy.pk}&span=30d")
    desk.get_by_text("As a table").first.click()
    expect(desk.get_by_role("columnheader", name="Day (UTC)")).to_be_visible()


def test_the_first_page_takes_as_many_queries_with_many_apps(admin_client, busy, db):
    from crm.commands.apps import create_app

    admin_client.get("/admin/")
    with CaptureQueriesContext(connection) as few:
        admin_client.get("/admin/")
    for number in range(5):
        create_app(name=f"App {number}")
    with CaptureQueriesContext(connection) as many:
        admin_client.get("/admin/")
    assert asked(many) == asked(few)


def asked(captured):
    """Give what was asked, but for the time, which is asked once a second."""
    return [query["sql"][:80] for query in captured if "clock_timestamp" not in query["sql"]]
