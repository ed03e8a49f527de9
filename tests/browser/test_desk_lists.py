"""Every list of the admin, as an operator sees it."""

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import expect

from tests.browser.conftest import PHONE
from tests.browser.person import overflows


@pytest.fixture
def many_users(app, settings):
    from crm.models import User

    User.objects.bulk_create([User(app=app, uid=f"user-{n:03}") for n in range(120)])


def test_a_list_is_read_page_by_page_without_counting(desk, live_server, many_users):
    desk.goto(live_server.url + reverse("admin:crm_user_changelist"))
    expect(desk.get_by_role("link", name="user-119")).to_be_visible()
    desk.get_by_role("link", name="Older").click()
    expect(desk.get_by_role("link", name="user-069")).to_be_visible()
    desk.get_by_role("link", name="Older").click()
    expect(desk.get_by_role("link", name="user-000")).to_be_visible()
    expect(desk.get_by_role("link", name="Older")).to_have_count(0)
    desk.get_by_role("link", name="Newer").click()
    expect(desk.get_by_role("link", name="user-069")).to_be_visible()
    expect(desk.get_by_role("link", name="user-019")).to_have_count(0)


def test_every_list_opens_on_a_desktop_and_on_a_phone(desk, live_server, many_users):
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        answer = desk.goto(live_server.url + reverse(f"admin:{name}_changelist"))
        assert answer.status == 200, name
        desk.set_viewport_size(PHONE)
        assert overflows(desk) == 0, name
        desk.set_viewport_size({"width": 1280, "height": 900})
