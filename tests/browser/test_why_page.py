"""Why did this user not get it, asked in a browser."""

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from playwright.sync_api import expect

from crm.commands.apps import create_app
from crm.commands.segments import WriteSegment, create_segment
from crm.models import Membership
from crm.models.membership import Role
from delivery import fanout
from delivery.audience import Audience
from tests.browser.conftest import PASSWORD, PHONE
from tests.browser.person import Person, overflows
from tests.conftest import Sends

GOLD = {
    "version": 1,
    "where": {
        "all": [
            {"field": "attribute", "name": "plan", "op": "equals", "value": "gold"},
            {"field": "platform", "op": "equals", "value": "ios"},
        ]
    },
}


def ring(phones, uid, **said):
    with transaction.atomic():  # commands lock what they change
        return phones.ring(uid, **said)


@pytest.fixture
def left_out(app, phones, sends):
    install = ring(phones, "phone-1", user="mark").install
    install.os = "ios"
    install.save()
    install.user.attributes = {"plan": "silver"}
    install.user.save()
    segment = create_segment(app=app, ask=WriteSegment(name="Gold members", rule=GOLD))
    occurrence = sends.to(Audience(segment_ids=(segment.pk,)))
    list(fanout.plan_batches(occurrence.pk))
    return occurrence.notification


def test_the_condition_that_kept_somebody_out_is_named(desk, live_server, left_out):
    desk.goto(f"{live_server.url}/admin/why/")
    desk.get_by_label("Notification").first.fill(str(left_out.pk))
    desk.get_by_label("User").first.fill("mark")
    desk.keyboard.press("Enter")

    expect(desk.get_by_role("status")).to_contain_text("whose plan is gold")
    expect(desk.get_by_role("status")).to_have_attribute("data-reason", "not_in_audience")
    tree = desk.locator(".console-tree")
    expect(tree).to_contain_text("plan: silver")
    expect(tree).to_contain_text("whose platform is ios")
    desk.set_viewport_size(PHONE)
    assert overflows(desk) == 0


def test_a_bad_question_is_answered_at_the_form(desk, live_server, left_out):
    desk.goto(f"{live_server.url}/admin/why/?notification={left_out.pk}")
    expect(desk.locator(".errornote")).to_contain_text("Name either a user or an install")
    desk.goto(f"{live_server.url}/admin/why/?notification={left_out.pk}&user=nobody")
    expect(desk.locator(".errornote")).to_contain_text("no such user")


def test_a_viewer_sees_the_own_app_and_no_other(page, live_server, left_out, app, phones):
    other = create_app(name="Other").app
    ring(type(phones)(other), "theirs", user="anna")
    foreign = Sends(other).to_everyone().notification
    viewer = get_user_model().objects.create_user("vera", password=PASSWORD, is_staff=True)
    Membership.objects.create(operator=viewer, app=app, role=Role.VIEWER)
    Person("vera", PASSWORD).sign_in(page, live_server.url)

    page.goto(f"{live_server.url}/admin/why/?notification={left_out.pk}&user=mark")
    expect(page.get_by_role("status")).to_be_visible()
    page.goto(f"{live_server.url}/admin/why/?notification={foreign.pk}&user=anna")
    expect(page.locator(".errornote")).to_contain_text("no such notification")
