"""An app's cap: set on its page, and seen wherever what became of a send is shown."""

import pytest
from django.db import transaction
from django.urls import reverse
from playwright.sync_api import expect

from delivery import dispatch, fanout
from tests.browser.conftest import fits_a_phone


@pytest.fixture
def held_back(app, phones, memory, sends):
    """The second of two broadcasts to three, of an app that allows one."""
    app.cap_pushes = 1
    app.save()
    memory()
    with transaction.atomic():
        phones.many(2)
        phones.ring("phone-1", user="mark")
    for title in ("The first", "The second"):
        occurrence = sends.to_everyone(title=title)
        list(fanout.plan_batches(occurrence.pk))
        while dispatch.deliver_next("bulk"):
            pass
    return occurrence.notification


def test_a_cap_is_set_by_keyboard_and_refused_beside_its_field(desk, live_server, app):
    desk.goto(live_server.url + reverse("admin:crm_app_change", args=[app.pk]))
    expect(desk.get_by_text("Urgent pushes, to a few by name")).to_be_visible()
    desk.locator("input[name=cap_pushes]").fill("0")
    desk.locator("input[name=cap_window]").fill("45")
    # the browser's own check would keep the form; the server's is what counts
    desk.locator("#app_form").evaluate("form => form.noValidate = true")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("greater than or equal to 1.").first).to_be_visible()
    expect(desk.get_by_text("greater than or equal to 0:01:00").first).to_be_visible()
    fits_a_phone(desk)
    desk.locator("input[name=cap_pushes]").fill("3")
    desk.locator("input[name=cap_window]").fill("7 00:00:00")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("was changed successfully")).to_be_visible()
    app.refresh_from_db()
    assert (app.cap_pushes, app.cap_window.days) == (3, 7)
    desk.goto(live_server.url + reverse("admin:crm_app_change", args=[app.pk]))
    expect(desk.locator("input[name=cap_window]")).to_have_value("7 00:00:00")


def test_the_page_of_a_send_counts_whom_it_held_back(desk, live_server, held_back):
    desk.goto(live_server.url + reverse("admin:send", args=[held_back.pk]))
    expect(desk.locator("[data-text=capped]")).to_have_text("3")
    expect(desk.locator("[data-rows=reasons]")).to_contain_text("1 push in 24 hours already")
    drawn = desk.evaluate(
        "Chart.getChart(document.querySelector('[data-chart=platforms]')).data.datasets"
        ".find(one => one.label === 'capped')"
    )
    assert sum(drawn["data"]) == 3
    assert drawn["backgroundColor"]
    fits_a_phone(desk)


def test_the_first_page_has_it_among_the_outcomes(desk, live_server, held_back):
    desk.goto(f"{live_server.url}/admin/")
    desk.get_by_text("As a table").first.click()
    expect(desk.get_by_role("columnheader", name="capped")).to_be_visible()
    drawn = desk.evaluate(
        "Chart.getChart(document.querySelector('canvas[data-chart]')).data.datasets"
        ".find(one => one.label === 'capped')"
    )
    assert sum(drawn["data"]) == 3
    fits_a_phone(desk)


def test_why_leads_to_the_pushes_that_counted(desk, live_server, held_back):
    asked = f"?notification={held_back.pk}&user=mark"
    desk.goto(live_server.url + reverse("admin:why") + asked)
    expect(desk.get_by_role("status")).to_have_attribute("data-reason", "capped")
    fits_a_phone(desk)
    first = held_back.pk - 1
    desk.get_by_role("link", name=f"notification {first}").click()
    expect(desk).to_have_url(live_server.url + reverse("admin:send", args=[first]))
