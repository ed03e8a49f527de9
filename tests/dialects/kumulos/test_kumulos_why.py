"""`GET /notifications/{id}/why`: an addition."""

from datetime import datetime

import pytest

from delivery import dispatch, fanout
from delivery.models import Occurrence

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(phones, sends, memory):
    phones.ring("one", user="mark")
    memory({"apns-one": "rejected"})
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    dispatch.deliver_next("bulk")
    return Occurrence.objects.get().notification


def test_why_answers_for_an_install(backend, sent):
    answer = backend.ask("GET", f"/notifications/{sent.pk}/why?installId=one")

    assert answer.status_code == 200
    said = answer.json()
    assert (said["reason"], said["userId"]) == ("rejected", "mark")
    assert said["evidence"]["verdict"] == "rejected"
    [device] = said["devices"]
    assert device["findings"][0]["reason"] == "rejected"
    assert device["audience"]["holds"] is True


def test_why_answers_for_a_user(backend, sent):
    said = backend.ask("GET", f"/notifications/{sent.pk}/why?userId=mark").json()

    assert [device["installId"] for device in said["devices"]] == ["one"]


@pytest.mark.parametrize("query", ["", "?installId=one&userId=mark"])
def test_why_takes_exactly_one_of_both(backend, sent, query):
    answer = backend.ask("GET", f"/notifications/{sent.pk}/why{query}")

    assert answer.status_code == 422
    assert {"installId", "userId"} <= set(answer.json())


def test_why_says_nothing_of_other_apps(other_backend, backend, sent):
    assert (
        other_backend.ask("GET", f"/notifications/{sent.pk}/why?installId=one").status_code == 404
    )
    assert backend.ask("GET", f"/notifications/{sent.pk}/why?installId=two").status_code == 404
    assert backend.ask("GET", f"/notifications/{sent.pk}/why?userId=two").status_code == 404
    assert backend.ask("GET", "/notifications/x/why?userId=mark").status_code == 404


def test_why_is_closed_to_devices(device, sent):
    assert device.ask("GET", f"/notifications/{sent.pk}/why?installId=one").status_code == 401


def test_why_tells_of_the_cap_and_of_what_counted(app, backend, phones, sends, memory):
    phones.ring("one", user="mark")
    memory()
    app.cap_pushes = 1
    app.save()
    for _ in range(2):
        occurrence = sends.to_everyone()
        list(fanout.plan_batches(occurrence.pk))
        dispatch.deliver_next("bulk")
    got, held_back = Occurrence.objects.order_by("pk")

    said = backend.ask("GET", f"/notifications/{held_back.notification_id}/why?userId=mark").json()

    assert said["reason"] == "capped"
    evidence = said["evidence"]
    assert (evidence["cap"], evidence["window"]) == (1, "24 hours")
    [slot] = evidence["slots"]
    assert (slot["notification"], slot["occurrence"]) == (got.notification_id, got.pk)
    assert datetime.fromisoformat(slot["at"]).tzinfo is not None
    counts = backend.ask("GET", f"/notifications/{held_back.notification_id}").json()["counts"]
    assert (counts["targeted"], counts["capped"], counts["pending"]) == (1, 1, 0)
