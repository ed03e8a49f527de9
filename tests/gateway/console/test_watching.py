"""The page of a send: its numbers, its buttons, its table."""

import csv
import io
import json
import re

import pytest
from django.urls import reverse

from crm.models import Install, User
from crm.models.membership import Role
from delivery import dispatch, fanout
from delivery.message import RawMessage
from delivery.models import Batch, Delivery
from delivery.providers.contract import push_id_of
from gateway.console.live import export, tallies
from gateway.console.live.watching import VERDICTS

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(sends, phones, memory):
    """A broadcast to five, of which one is gone."""
    memory({"apns-apns-1": "unregistered"})
    phones.many(3)
    phones.many(2, transport="fcm")
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    return occurrence.notification


def deliver():
    while any(dispatch.deliver_next(lane) for lane in ("urgent", "bulk")):
        pass


def page_of(client, notification):
    return client.get(reverse("admin:send", args=[notification.pk])).content.decode()


def progress_of(client, notification):
    return client.get(reverse("admin:send_progress", args=[notification.pk])).json()


def stop(client, notification, deed):
    said = client.post(reverse("admin:send_stop", args=[notification.pk]), {"deed": deed})
    return client.get(said.url).content.decode()


def test_the_numbers_are_there_without_a_script(sender, sent):
    before = page_of(sender, sent)
    assert "in line for a worker" in before
    assert "everyone" in before
    deliver()
    after = page_of(sender, sent)
    assert "sent: 4 of 5 accepted, 0 pending" in after
    assert "Accepted is not delivered" in after


def test_a_poll_tells_outcomes_by_platform_and_reason(sender, sent):
    assert progress_of(sender, sent)["live"]
    deliver()
    told = progress_of(sender, sent)
    assert (told["standing"], told["live"]) == ("sent", False)
    assert told["steps"]["accepted"] == {"number": 4, "of": 5}
    apple = told["rows"]["platforms"][0]
    assert apple[:3] == ["Apple (APNs)", "3", "2"]
    assert sum(told["series"]["platforms"]["sets"]["accepted"]) == 4
    assert any(row[1] == "unregistered" and row[3] == "1" for row in told["rows"]["reasons"])


def test_who_was_held_back_by_the_cap_is_counted_and_told_why(sender, sent, sends, app):
    app.cap_pushes = 1
    app.save()
    deliver()
    held_back = sends.to_everyone()
    list(fanout.plan_batches(held_back.pk))
    deliver()

    told = progress_of(sender, held_back.notification)
    assert told["texts"]["capped"] == "4"  # the fifth is gone
    assert [sum(told["series"]["platforms"]["sets"][name]) for name in ("capped", "pending")] == [
        4,
        0,
    ]
    assert ["capped", "1 push in 24 hours already"] in [row[1:3] for row in told["rows"]["reasons"]]
    page = page_of(sender, held_back.notification)
    headings = re.findall(r'<th scope="col">(.*?)</th>', page.partition("By platform")[2])
    assert headings[: len(told["rows"]["platforms"][0])] == [
        "Platform",
        "Targeted",
        *(verdict.capitalize() for verdict in VERDICTS),
        "Pending",
    ]
    asked = {"notification": held_back.notification_id, "install": "apns-0"}
    why = sender.get(reverse("admin:why"), asked).content.decode()
    assert 'data-reason="capped"' in why
    assert "this device had had 1 push in 24 hours already" in why
    assert reverse("admin:send", args=[sent.pk]) in why


def test_a_poll_costs_few_queries_however_large_the_send(
    sender, sent, django_assert_max_num_queries
):
    progress_of(sender, sent)  # counted once; kept for a while
    with django_assert_max_num_queries(14) as looked:
        progress_of(sender, sent)
    assert not any("delivery_delivery" in query["sql"] for query in looked)


def test_a_send_is_paused_resumed_and_cancelled_with_an_honest_count(sender, sent):
    Batch.objects.filter(transport="fcm").update(state="waiting")
    dispatch.deliver_next("bulk")
    have = Delivery.objects.filter(verdict="accepted").count()
    assert 0 < have < 5
    said = stop(sender, sent, "pause")
    assert f"Paused: {have} of 5 have it" in said
    assert progress_of(sender, sent)["standing"] == "paused"
    assert "Resumed" in stop(sender, sent, "resume")
    assert "Nothing of the notification is paused" in stop(sender, sent, "resume")
    assert f"Cancelled: {have} of 5 have it" in stop(sender, sent, "cancel")
    deliver()
    assert progress_of(sender, sent)["standing"] == "cancelled"
    assert "already been sent or cancelled" in stop(sender, sent, "cancel")
    assert "no such button" in stop(sender, sent, "explode")


def test_a_viewer_sees_no_buttons(sent, signed_in, app):
    viewer = signed_in("vera", Role.VIEWER, app)
    assert "Cancel what is not sent" not in page_of(viewer, sent)


def table(client, notification):
    answer = client.get(reverse("admin:send_export", args=[notification.pk]))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_the_export_has_a_row_for_each_outcome(sender, sent, monkeypatch):
    monkeypatch.setattr(export, "PAGE", 2)
    deliver()
    Delivery.objects.update(provider_ref="")  # as Apple's: the name is worked out
    rows = table(sender, sent)
    assert len(rows) == 5
    assert {row["install"] for row in rows} == set(Install.objects.values_list("uid", flat=True))
    assert {row["provider_id"] for row in rows if row["platform"] == "apns"} == {
        push_id_of(int(row["firing"]), int(row["device_token"]))
        for row in rows
        if row["platform"] == "apns"
    }
    [gone] = [row for row in rows if row["verdict"] == "unregistered"]
    assert (gone["platform"], gone["opened_at"]) == ("apns", "")
    assert list(rows[0]) == list(export.COLUMNS)


def test_no_cell_of_the_export_is_a_formula(sender, sent):
    deliver()
    Install.objects.filter(uid="apns-0").update(uid="=HYPERLINK(1)")
    User.objects.filter(uid="apns-2").update(uid="@SUM(1)")
    Delivery.objects.filter(verdict="unregistered").update(reason="+1\r\n")
    cells = [cell for row in table(sender, sent) for cell in row.values()]
    assert "'=HYPERLINK(1)" in cells
    assert "'@SUM(1)" in cells
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_a_tally_that_takes_too_long_is_told_as_that(sender, sent, monkeypatch):
    deliver()
    monkeypatch.setattr("delivery.breakdown.TARGETED", "SELECT pg_sleep(5), %(notification)s")
    monkeypatch.setattr(tallies, "PATIENCE", tallies.timedelta(milliseconds=30))
    told = progress_of(sender, sent)
    assert told["texts"]["counted"] == "too many to count in time"
    assert told["steps"]["accepted"]["number"] == 4


def test_a_cache_that_is_away_costs_time_and_nothing_else(sender, sent, monkeypatch):
    from redis import ConnectionError as Away

    def away(*args, **said):
        raise Away

    for name in ("get", "set", "add", "delete"):
        monkeypatch.setattr(tallies.cache, name, away)
    deliver()
    assert progress_of(sender, sent)["rows"]["reasons"]


@pytest.mark.parametrize(
    ("transport", "payload", "shown"),
    [
        ("apns", {"aps": {"alert": "Ring"}}, "Ring"),
        ("apns", {"aps": {"alert": {"title": "T", "body": "Boo"}}}, "Boo"),
        ("fcm", {"notification": {"title": "T", "body": "Doo"}}, "Doo"),
        ("fcm", {"data": {"message": "Moo"}}, "Moo"),
        ("fcm", {"data": 7}, "own form"),
    ],
)
def test_content_in_a_providers_own_form_is_shown_as_far_as_it_can(
    sender, sent, transport, payload, shown
):
    sent.message = RawMessage(transport=transport, payload=payload).as_json()
    sent.save()
    assert shown in page_of(sender, sent)


def test_an_in_app_message_has_a_page_too(sender, sent):
    sent.message = {"in_app": "welcome", "inbox": {"title": "Hi there"}, "content": {}}
    sent.kind = "in_app"
    sent.save()
    page = page_of(sender, sent)
    assert "Hi there" in page
    assert "Compose again" not in page


def test_the_list_leads_to_the_page_of_each_send(sender, sent):
    page = sender.get(reverse("admin:delivery_notification_changelist")).content.decode()
    assert reverse("admin:send", args=[sent.pk]) in page


def test_what_is_embedded_cannot_end_its_script(sender, sent, app):
    sent.name = "</script><script>alert(1)</script>"
    sent.save()
    page = page_of(sender, sent)
    assert "<script>alert" not in page
    embedded = page.split('id="watched" type="application/json">')[1].split("</script>")[0]
    assert json.loads(embedded)["standing"]
