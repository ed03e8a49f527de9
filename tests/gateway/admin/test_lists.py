"""Every list of the admin, found in its registry: constant queries, own apps, whole pages."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.admin import BooleanFieldListFilter, ChoicesFieldListFilter
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from unfold.contrib.filters.admin import RangeDateTimeFilter

from crm.desk import Desk
from crm.models import App, User
from crm.models.membership import Role
from tests.gateway.admin.conftest import enrol, fill

DESKS = {
    f"{model._meta.app_label}_{model._meta.model_name}": desk
    for model, desk in admin.site._registry.items()
    if isinstance(desk, Desk)
}
OF_NO_APP = [name for name, desk in DESKS.items() if not desk.app_path]
BY_APP = [
    name
    for name, desk in DESKS.items()
    if desk.app_path not in {"", "pk"} and name != "crm_membership"
]


def address(name, page="changelist", *args):
    return reverse(f"admin:{name}_{page}", args=args)


def rows_of(page):
    return page.context_data["cl"].result_list


def queries(client, url):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        page = client.get(url)
    assert page.status_code == 200, url
    asked = [query["sql"] for query in captured.captured_queries]
    return page, [sql for sql in asked if "clock_timestamp" not in sql]  # asked once a second


@pytest.mark.parametrize("name", DESKS)
def test_a_list_asks_as_often_for_fifty_rows_as_for_one(app, other_app, signed_in, name):
    client = signed_in() if name in OF_NO_APP else signed_in(app, other_app)
    fill(app, range(1))
    client.get(address(name))
    few, asked = queries(client, address(name))
    for n in range(2 if DESKS[name].app_path == "pk" else 0):
        App.objects.create(name=f"More {n}", api_key=f"key-{n}")
    for n in range(49 if name in OF_NO_APP else 0):
        enrol(app, f"more-{n}")
    fill(app, range(1, 50))
    many, asked_again = queries(client, address(name))
    if name in OF_NO_APP or (name in BY_APP and rows_of(few)):
        assert len(rows_of(many)) == 50
    assert len(asked_again) == len(asked), "\n".join(asked_again)
    assert not [sql for sql in asked_again if "COUNT(" in sql and "GROUP BY" not in sql]


@pytest.mark.parametrize("name", BY_APP)
def test_a_list_shows_rows_of_the_operators_apps_alone(app, other_app, signed_in, name):
    fill(app, range(2))
    fill(other_app, range(3))
    client = signed_in(app, role=DESKS[name].needs["view"])
    assert {DESKS[name].app_of(row) for row in rows_of(client.get(address(name)))} <= {app.pk}
    narrowed = client.get(f"{address(name)}?app={other_app.pk}")
    assert narrowed.status_code == 200
    assert {DESKS[name].app_of(row) for row in rows_of(narrowed)} <= {app.pk}


@pytest.mark.parametrize("name", OF_NO_APP)
def test_a_list_of_no_app_is_a_superusers(app, other_app, signed_in, client, name):
    fill(app, range(1))
    row = DESKS[name].model._default_manager.get(pk=enrol(app, "somebody").pk)
    pages = [address(name), address(name, "change", row.pk)]
    signed_in(app, other_app)
    assert [client.get(page).status_code for page in pages] == [403, 403]
    client.logout()
    signed_in()
    assert [client.get(page).status_code for page in pages] == [200, 200]
    assert row in rows_of(client.get(pages[0], {"q": "someb"}))
    assert not rows_of(client.get(pages[0], {"q": "nobody-like-that"}))


def ways_of(spec):
    """Give the addresses a filter leads to."""
    if isinstance(spec, RangeDateTimeFilter):
        return [f"{spec.parameter_name}_{end}_0=2026-01-01" for end in ("from", "to")]
    if isinstance(spec, ChoicesFieldListFilter):
        return [f"{spec.lookup_kwarg}={value}" for value, _ in spec.field.flatchoices]
    if isinstance(spec, BooleanFieldListFilter):
        return [f"{spec.lookup_kwarg}={value}" for value in (0, 1)]
    return [f"{spec.parameter_name}={value}" for value, _ in spec.lookup_choices]


@pytest.mark.parametrize("name", [*BY_APP, *OF_NO_APP])
def test_every_filter_takes_each_of_its_values(app, other_app, signed_in, name):
    fill(app, range(2))
    client = signed_in() if name in OF_NO_APP else signed_in(app, other_app)
    page = client.get(address(name))
    for spec in page.context_data["cl"].filter_specs:
        for asked in ways_of(spec):
            found = client.get(f"{address(name)}?{asked}")
            assert found.status_code == 200, (name, asked)


@pytest.mark.parametrize("name", DESKS)
def test_no_address_of_a_list_breaks_it(app, signed_in, name):
    fill(app, range(1))
    client = signed_in()
    for asked in ("q=x", "q=99999999999999999999", "q=%00", "app=x&older=9", "newer=1"):
        if not (asked.startswith("app") and DESKS[name].app_path in {"", "pk"}):
            assert client.get(f"{address(name)}?{asked}").status_code == 200, asked


FINDS = [
    ("crm_app", "Example", 1),
    ("crm_user", "user-1", 1),
    ("crm_user", "1@example.com", 1),
    ("crm_user", "77", 1),
    ("crm_user", "user", 0),
    ("crm_install", "install-1", 1),
    ("crm_install", "user-1", 1),
    ("crm_devicetoken", "token-1-" + 60 * "f", 1),
    ("crm_devicetoken", "install-1", 1),
    ("crm_channel", "channel-1", 1),
    ("crm_channel", "Channel 1", 1),
    ("crm_event", "install-1", 1),
    ("crm_segment", "Segment 1", 1),
    ("templates_app_template", "template-1", 1),
    ("delivery_inboxitem", "user-1", 1),
]


def test_a_search_finds_the_whole_term_in_own_apps(app, other_app, signed_in):
    fill(app, range(3))
    fill(other_app, range(3))
    User.objects.filter(app=app, uid="user-2").update(external_user_id=77)
    client = signed_in(app)
    for name, term, count in FINDS:
        found = rows_of(client.get(address(name), {"q": term}))
        assert len(found) == count, (name, term)
        assert {DESKS[name].app_of(row) for row in found} <= {app.pk}, (name, term)


@pytest.mark.parametrize(
    ("name", "apps"), [("crm_user", 0), ("crm_user", 2), ("delivery_occurrence", 1)]
)
def test_pages_follow_each_other_without_gap_or_repetition(app, other_app, signed_in, name, apps):
    fill(app, range(70))
    fill(other_app, range(60))
    client = signed_in(*[app, other_app][:apps])
    wanted = 70 if apps == 1 else 130
    seen, url = [], address(name)
    while True:
        cl = client.get(url).context_data["cl"]
        seen.append([row.pk for row in cl.result_list])
        if cl.older is None:
            break
        url = address(name) + cl.older_address
    keys = [key for page in seen for key in page]
    assert keys == sorted(keys, reverse=True)
    assert len(keys) == len(set(keys)) == wanted
    back = [seen[-1]]
    while cl.newer is not None:
        cl = client.get(address(name) + cl.newer_address).context_data["cl"]
        back.insert(0, [row.pk for row in cl.result_list])
    assert [key for page in back for key in page] == keys


def test_a_search_without_an_index_stops_in_time_and_goes_on_from_there(
    app, signed_in, monkeypatch
):
    monkeypatch.setattr("crm.keyset.STRIDE", 10)
    monkeypatch.setattr("crm.keyset.GROWTH", 1)
    monkeypatch.setattr("crm.keyset.PATIENCE", 0.0)
    fill(app, range(30))
    from delivery.models import Batch

    oldest = Batch.objects.earliest("pk")
    Batch.objects.filter(pk=oldest.pk).update(state="waiting")
    client, pages = signed_in(), 0
    url = f"{address('delivery_batch')}?state=waiting"
    while True:
        page = client.get(url)
        cl, pages = page.context_data["cl"], pages + 1
        if cl.looked_through or cl.result_list:
            break
        assert b"no index for these filters" in page.content
        url = address("delivery_batch") + cl.older_address
    assert [row.pk for row in cl.result_list] == [oldest.pk]
    assert pages == 3


def test_a_query_over_its_time_gives_a_page_that_says_so(app, signed_in, settings, monkeypatch):
    settings.PAGE_PATIENCE = timedelta(milliseconds=50)
    slow = User.objects.extra(where=["pg_sleep(1) IS NOT NULL"])
    fill(app, range(1))
    monkeypatch.setattr(DESKS["crm_user"], "get_queryset", lambda request: slow)
    page = signed_in().get(address("crm_user"))
    assert page.status_code == 503
    assert b"took longer than 0.05 seconds" in page.content


def test_no_list_claims_to_know_how_many_rows_there_are(app, signed_in):
    fill(app, range(60))
    page = signed_in().get(address("crm_user")).content.decode()
    assert not re.search(r"\d+ results?|Show all", page)


@pytest.mark.parametrize("name", [name for name in DESKS if name not in OF_NO_APP])
def test_the_page_of_a_row_opens_for_its_viewer_and_for_nobody_else(
    app, other_app, signed_in, client, name
):
    fill(app, range(1))
    model = DESKS[name].model
    everything = model._default_manager.order_by("pk")
    row = next((row for row in everything if DESKS[name].app_of(row) == app.pk), None)
    if row is None:
        pytest.skip("no such row here")
    url = address(name, "change", row.pk)
    assert signed_in(app, role=DESKS[name].needs["view"]).get(url).status_code == 200
    client.logout()
    assert signed_in(other_app, role=Role.ADMIN).get(url).status_code == 302
