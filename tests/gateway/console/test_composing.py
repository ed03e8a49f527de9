"""What the composer's pages answer, without a browser."""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from crm.errors import NotFound
from crm.models import Install, Segment
from delivery import dispatch, fanout
from delivery.audience import Audience
from delivery.message import Button, Message
from delivery.models import Breaker, Notification, Occurrence, ProviderCredential, Ticket
from delivery.providers.fitness import sizes_of
from delivery.reports import find_from
from delivery.schedule import Schedule
from tests.conftest import TOPIC

pytestmark = pytest.mark.django_db

GOLD = {"field": "attribute", "name": "plan", "op": "equals", "value": "gold"}


def post(client, name, form):
    return client.post(reverse(f"admin:compose_{name}"), form)


def hidden(answer):
    """Give the fields of a reviewed form."""
    page = answer.content.decode()
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


def reviewed(client, form):
    answer = post(client, "review", form)
    assert answer.status_code == 200, answer.content.decode()[:3000]
    return hidden(answer)


def test_a_push_is_reviewed_and_sent_once_with_its_operators_name(sender, form, phones):
    phones.many(3)
    kept = reviewed(sender, {**form, "name": "Spring", "ttl_hours": "2"})
    assert not Notification.objects.exists()
    first = post(sender, "send", kept)
    second = post(sender, "send", kept)
    notification = Notification.objects.get()
    assert first.url == second.url == reverse("admin:send", args=[notification.pk])
    assert (notification.operator, notification.source) == ("sally", "console")
    assert (notification.name, notification.time_to_live) == ("Spring", timedelta(hours=2))
    assert notification.message == {"title": "Hello", "body": "World"}
    assert Occurrence.objects.count() == Ticket.objects.count() == 1


def test_everything_that_can_be_said_is_kept(sender, form, app, phones):
    said = {
        **form,
        "image": "https://example.com/cat.png",
        "url": "shop://sale",
        "buttons": "yes = Yes please\nno = No",
        "custom": '{"promo": 7}',
        "badge": "increment",
        "badge_count": "2",
        "sound": "ping.caf",
        "background": "on",
        "high_priority": "on",
        "collapse_id": "sale",
    }
    post(sender, "send", reviewed(sender, said))
    notification = Notification.objects.get()
    message = Message.from_json(notification.message)
    assert message.buttons == (Button(id="yes", text="Yes please"), Button(id="no", text="No"))
    assert (message.image, message.data) == ("https://example.com/cat.png", {"promo": 7})
    assert notification.lane == "urgent"
    again = sender.get(reverse("admin:compose"), {"from": notification.pk}).content.decode()
    assert "yes = Yes please" in again
    assert "&quot;promo&quot;: 7" in again


def test_what_was_not_reviewed_or_by_us_is_not_sent(sender, form, phones):
    for said in ("", "x", f"{uuid4()}"):
        answer = post(sender, "send", {**form, "reviewed": said})
        assert answer.status_code == 422
        assert "look at it once more" in answer.content.decode()
    assert not Notification.objects.exists()


def test_many_devices_are_sent_to_by_typing_their_number(sender, form, phones, monkeypatch):
    monkeypatch.setattr("gateway.console.compose.composition.ASK_TO_TYPE", 3)
    phones.many(3)
    kept = reviewed(sender, form)
    wrong = post(sender, "send", {**kept, "typed": "4"})
    assert wrong.status_code == 422
    assert not Notification.objects.exists()
    assert post(sender, "send", {**hidden(wrong), "typed": "3"}).status_code == 302
    assert Notification.objects.count() == 1


def test_what_could_not_be_counted_takes_the_apps_name(sender, form, phones, monkeypatch):
    monkeypatch.setattr("gateway.console.compose.outlook.PATIENCE", timedelta(milliseconds=1))
    monkeypatch.setattr(
        "delivery.reach.WHO",
        "WITH named AS ({named}) SELECT pg_sleep(9)::text, %s::int, %s::text[]",
    )
    answer = post(sender, "reach", form).json()
    assert answer["slow"]
    kept = reviewed(sender, form)
    assert post(sender, "send", kept).status_code == 422
    assert post(sender, "send", {**kept, "typed": "Example"}).status_code == 302


def test_a_count_says_whom_the_cap_would_hold_back(  # noqa: PLR0917
    sender, form, phones, memory, sends, app
):
    phones.many(3)
    memory()
    said = "it would not go to"
    assert said not in str(post(sender, "reach", form).json())
    app.cap_pushes = 1
    app.save()
    list(fanout.plan_batches(sends.to(Audience(install_uids=("apns-0", "apns-1"))).pk))
    assert dispatch.deliver_next("bulk")

    answer = post(sender, "reach", form).json()

    [warning] = answer["warnings"]
    assert warning == (
        "2 of these devices have had 1 push in 24 hours already: as a bulk send it would not go to"
        " them now."
    )
    assert answer["counts"]["devices"] == "3"


def test_a_review_stores_nothing_and_rings_for_nothing(sender, form, phones, monkeypatch):
    rung = []
    monkeypatch.setattr("delivery.tasks.ring_for_occurrence", lambda *a, **k: rung.append(a))
    reviewed(sender, form)
    assert not rung
    assert not Notification.objects.exists()
    assert not Occurrence.objects.exists()


def test_every_mistake_is_told_at_its_field(sender, form):
    said = {
        **form,
        "title": "",
        "image": "http://example.com/cat.png",
        "buttons": "nonsense",
        "custom": "[1]",
        "badge": "set",
        "everyone": "",
        "when": "at",
        "at": "2020-01-01T10:00",
    }
    answer = post(sender, "review", said)
    assert answer.status_code == 422
    page = answer.content.decode()
    for told in (
        "required",
        "https only",
        "id = Text",
        "JSON object",
        "How many",
        "Is past",
        "Name",
    ):
        assert told in page, told
    assert not Notification.objects.exists()


@pytest.mark.parametrize("custom", ['{"a": "\\u0000"}', '{"a": NaN}', "{" * 5000, '{"a":' * 100])
def test_what_nobody_can_store_is_no_data(sender, form, custom):
    assert "custom" in post(sender, "check", {**form, "custom": custom}).json()["errors"]


def test_the_servers_own_builders_measure_the_message(sender, form):
    told = post(sender, "check", form).json()
    sizes = sizes_of(Message(title="Hello", body="World"))
    assert told["sizes"] == {
        t.value: {"used": size.used, "limit": 4096} for t, size in sizes.items()
    }
    assert told["errors"] == {}
    too_large = post(sender, "check", {**form, "custom": json.dumps({"x": "y" * 4000})}).json()
    assert too_large["sizes"]["apns"]["used"] > 4096
    assert too_large["errors"]
    assert (
        post(sender, "review", {**form, "custom": json.dumps({"x": "y" * 4000})}).status_code == 422
    )


def test_what_a_provider_reserves_is_told_at_the_data(sender, form):
    assert post(sender, "check", {**form, "custom": '{"ok": 1}'}).json()["errors"] == {}


def test_reach_names_missing_credentials_and_open_breakers(sender, form, phones, app):
    phones.ring("one")
    told = post(sender, "reach", form).json()
    assert told["counts"] == {"users": "1", "installs": "1", "devices": "1"}
    assert told["warnings"] == [
        f"No credential for apns production {TOPIC}: these pushes wait for one, then expire."
    ]
    credential = ProviderCredential.objects.create(
        app=app, provider="apns", kind="key", sealed=b"", pace=10
    )
    assert post(sender, "reach", form).json()["warnings"] == []
    assert "by the pace of its credentials" in post(sender, "reach", form).json()["takes"]
    Breaker.objects.create(
        credential=credential,
        environment="production",
        topic=TOPIC,
        state="open",
        reason="InvalidProviderToken",
        opened_at=timezone.now(),
    )
    [warning] = post(sender, "reach", form).json()["warnings"]
    assert "InvalidProviderToken" in warning


def test_a_local_send_shows_each_zones_moment_before_it_is_sent(sender, form, phones):
    wall = timezone.now() + timedelta(days=30)
    for uid, zone in {"b": "Europe/Berlin", "t": "Asia/Tokyo", "u": ""}.items():
        phones.ring(uid)
        Install.objects.filter(uid=uid).update(timezone=zone)
    at = f"{wall:%Y-%m-%d}T09:00"
    local = {**form, "when": "local", "at": at, "past": "ignore"}
    plan = post(sender, "reach", local).json()["tables"]["plan"]
    assert [row[0] for row in plan] == ["Asia/Tokyo", "Europe/Berlin", "UTC"]
    assert {row[2][-5:] for row in plan} == {"09:00"}
    assert plan[0][3].endswith("00:00")
    assert [row[1] for row in plan] == ["1", "1", "1"]
    post(sender, "send", reviewed(sender, local))
    schedule = Schedule.from_json(Notification.objects.get().schedule)
    assert schedule.wall_clock == datetime.fromisoformat(at)
    fired = {o.zone: o.due_at for o in Occurrence.objects.all()}
    assert fired["Asia/Tokyo"].astimezone(UTC).strftime("%Y-%m-%d %H:%M") == plan[0][3]


def test_what_is_past_is_told_as_its_policy_has_it(sender, form, phones):
    phones.ring("one")
    past = {**form, "when": "local", "at": "2020-06-01T09:00", "past": "ignore"}
    told = post(sender, "reach", past).json()
    assert told["tables"]["plan"][0][3:] == ["-", "past: left out"]
    assert any("past for everybody" in line for line in told["warnings"])
    moved = post(sender, "reach", {**past, "past": "next_day"}).json()["tables"]["plan"][0]
    assert moved[4] == "past: moved to the next day it is ahead"


def test_a_series_shows_its_next_runs(sender, form, phones):
    at = f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M}"
    every = {**form, "when": "every", "at": at, "every": "2", "unit": "days"}
    assert len(post(sender, "reach", every).json()["tables"]["plan"]) == 5
    post(sender, "send", reviewed(sender, every))
    assert Schedule.from_json(Notification.objects.get().schedule).every == timedelta(days=2)


def test_a_rule_is_said_counted_and_kept(sender, app, phones):
    phones.ring("one", user="mark")
    rule = json.dumps({"version": 1, "where": {"not": GOLD}})
    told = post(sender, "rule", {"app": app.pk, "rule": rule}).json()
    assert told["words"] == "people whose plan is not gold"
    assert told["counts"] == {"users": 1, "installs": 1, "reachable": 1}
    made = post(sender, "segment", {"app": app.pk, "name": "Not gold", "rule": rule})
    assert (made.status_code, Segment.objects.get().name) == (201, "Not gold")
    taken = post(sender, "segment", {"app": app.pk, "name": "Not gold", "rule": rule})
    assert taken.json()["errors"] == {"name": ["This name is taken."]}
    broken = post(sender, "rule", {"app": app.pk, "rule": '{"version": 1, "where": {"all": [7]}}'})
    assert list(broken.json()["errors"]) == ["rule.where.all[0]"]
    for nonsense in ("", "{", '{"a": "\\u0000"}'):
        assert post(sender, "rule", {"app": app.pk, "rule": nonsense}).status_code == 422
        said = {"app": app.pk, "name": "x", "rule": nonsense}
        assert post(sender, "segment", said).status_code == 422


def test_a_test_goes_to_the_installs_named_and_once(sender, form, phones):
    phones.ring("mine")
    phones.ring("other")
    ticket = uuid4()
    said = {**form, "test_installs": "mine", "test_ticket": ticket}
    first, second = (post(sender, "test", said).json() for _ in range(2))
    assert first["address"] == second["address"]
    notification = Notification.objects.get()
    assert notification.audience == {"install_uids": ["mine"]}
    assert (notification.name, notification.lane) == ("Test", "urgent")
    assert post(sender, "test", {**said, "test_installs": "nobody"}).json()["errors"] == {
        "test_installs": ["No such install: nobody"]
    }
    assert post(sender, "test", {**said, "test_ticket": "x"}).status_code == 404


def test_segments_are_found_by_the_beginning_of_their_name(sender, app):
    rule = {"version": 1, "where": GOLD}
    for name in ("Gold", "Golden", "Silver"):
        Segment.objects.create(app=app, name=name, rule=rule)
    asked = {"app": app.pk, "kind": "segments", "q": "gold"}
    names = sender.get(reverse("admin:compose_names"), asked).json()["names"]
    assert [one["name"] for one in names] == ["Gold", "Golden"]
    cache.clear()


def test_both_dialects_know_whose_a_console_send_is(sender, form, phones, new_app, client):
    phones.ring("one")
    post(sender, "send", reviewed(sender, form))
    id_ = Notification.objects.get().pk
    pair = b64encode(f"{new_app.api_key}:{new_app.server_key}".encode()).decode()
    seen = client.get(f"/notifications/{id_}", headers={"Authorization": f"Basic {pair}"})
    assert (seen.status_code, seen.json()["title"]) == (200, "Hello")
    with pytest.raises(NotFound):
        find_from(new_app.app, id_, source=Notification.Source.CONNECTYCUBE)
