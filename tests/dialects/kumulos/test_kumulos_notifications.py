"""Notifications read back, edited and cancelled: additions of this gateway."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from kumulos_calls import sent

from delivery import dispatch
from delivery.commands.amend import pause_sending, resume_sending
from delivery.fanout import plan_batches
from delivery.message import RawMessage
from delivery.models import Notification, Occurrence

SCHEDULE = {"sendAt": "2099-01-01 09:30", "strategy": "utc", "pastTimes": "ignore"}
NONE = {
    "targeted": 0,
    "accepted": 0,
    "rejected": 0,
    "unregistered": 0,
    "expired": 0,
    "cancelled": 0,
    "capped": 0,
    "uncertain": 0,
    "pending": 0,
}


@pytest.fixture
def later(backend):
    """Send something for the year 2099; gives the answered object."""

    def send(**said):
        answer = backend.send(**{"broadcast": True, **said}, scheduled=True, schedule=SCHEDULE)
        sent(answer)
        return answer.json()

    return send


def read(backend, number):
    answer = backend.ask("GET", f"/notifications/{number}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def begin(number, **changes):
    """Let every firing of a notification begin, as a worker does when it is due."""
    changes = {"due_at": timezone.now(), **changes}
    for occurrence in Occurrence.objects.filter(notification=number):
        Occurrence.objects.filter(pk=occurrence.pk).update(**changes)
        list(plan_batches(occurrence.pk))


def deliver():
    while dispatch.deliver_next("bulk"):
        pass


def no(answer, status):
    assert answer.status_code == status, answer.content
    assert isinstance(answer.json()["error"], str)


# -- reading one


def test_what_is_read_is_what_was_answered_and_how_far_it_has_come(backend, later):
    answered = later(userIds=["u"], broadcast=False, data={"a": [1]})
    assert read(backend, answered["id"]) == {
        **answered,
        "state": "scheduled",
        "schedule": SCHEDULE,
        "counts": {**NONE, "opened": 0},
        "expectedFinishAt": None,
        "occurrences": [
            {
                "zone": None,
                "dueAt": "2099-01-01T09:30:00+0000",
                "state": "scheduled",
                "counts": NONE,
                "expectedFinishAt": None,
            }
        ],
    }


def test_counts_follow_a_send_to_its_end(backend, phones, memory, device, event):
    ios, android, gone = phones.ring("a"), phones.ring("b", transport="fcm"), phones.ring("c")
    memory({gone.value: "unregistered"})
    number = sent(backend.send(broadcast=True)).pk
    assert read(backend, number)["state"] == "sending", "it waits for nothing but a worker"
    begin(number)
    shown = read(backend, number)
    assert (shown["state"], shown["schedule"]) == ("sending", None)
    assert shown["counts"] == {**NONE, "targeted": 3, "pending": 3, "opened": 0}
    deliver()
    device.tell(event("k.message.opened", {"type": 1, "id": number}), install="a")
    device.tell(event("k.message.opened", {"type": 1, "id": number}, userId="u"), install="a")
    shown = read(backend, number)
    assert shown["state"] == "sent"
    ended = {**NONE, "targeted": 3, "accepted": 2, "unregistered": 1}
    assert shown["counts"] == {**ended, "opened": 1}
    assert [firing["counts"] for firing in shown["occurrences"]] == [ended]
    assert {ios.install.uid, android.install.uid} == {"a", "b"}


@pytest.fixture
def half_way(backend, phones, settings, memory):
    """Give the id of a broadcast to six phones that two of them have."""
    settings.BATCH_SIZE = 2
    memory()
    phones.many(6)
    number = backend.send(broadcast=True).json()["id"]
    begin(number)
    assert dispatch.deliver_next("bulk")
    return number


def test_a_send_under_way_says_when_it_should_be_done(backend, half_way):
    number = half_way
    shown = read(backend, number)
    assert shown["expectedFinishAt"] is None, "it has only begun"

    # two in ten seconds, four are left
    Occurrence.objects.update(started_at=timezone.now() - timedelta(seconds=10))
    shown = read(backend, number)
    expected = datetime.strptime(shown["expectedFinishAt"], "%Y-%m-%dT%H:%M:%S%z")
    assert timedelta(seconds=15) < expected - timezone.now() < timedelta(seconds=25)
    assert [firing["expectedFinishAt"] for firing in shown["occurrences"]] == [
        shown["expectedFinishAt"]
    ]
    [listed] = backend.ask("GET", "/notifications").json()["notifications"]
    assert listed["expectedFinishAt"] is not None

    deliver()
    assert read(backend, number)["expectedFinishAt"] is None


def test_a_local_send_shows_every_zone_and_adds_them_up(backend, phones, memory):
    memory()
    for uid, zone in (("a", "Asia/Tokyo"), ("b", "Asia/Tokyo"), ("c", "Europe/Paris")):
        install = phones.ring(uid).install
        install.timezone = zone
        install.save()
    schedule = {**SCHEDULE, "strategy": "local", "pastTimes": "nextDay", "skipAfter": 60}
    number = sent(backend.send(broadcast=True, scheduled=True, schedule=schedule)).pk
    assert read(backend, number)["schedule"] == schedule
    tokyo = Occurrence.objects.get(notification=number, zone="Asia/Tokyo")
    soon = timezone.now()
    Occurrence.objects.filter(pk=tokyo.pk).update(due_at=soon, latest_start_at=None)
    list(plan_batches(tokyo.pk))
    deliver()
    shown = read(backend, number)
    assert shown["state"] == "sending", "some zones have had it, others wait"
    zones = [(firing["zone"], firing["state"]) for firing in shown["occurrences"]]
    assert zones == [
        ("Asia/Tokyo", "sent"),
        ("Europe/Paris", "scheduled"),
        ("UTC", "scheduled"),
    ]
    assert shown["counts"] == {**NONE, "targeted": 2, "accepted": 2, "opened": 0}
    assert backend.ask("DELETE", f"/notifications/{number}").status_code == 204
    shown = read(backend, number)
    assert shown["state"] == "cancelled"
    assert shown["counts"]["accepted"] == 2


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (["due"], "scheduled"),
        (["planning"], "sending"),
        (["sending"], "sending"),
        (["finished"], "sent"),
        (["cancelled"], "cancelled"),
        (["skipped"], "skipped"),
        (["skipped", "due"], "scheduled"),
        (["finished", "due"], "sending"),
        (["finished", "skipped"], "sent"),
        (["finished", "cancelled"], "cancelled"),
        (["skipped", "cancelled"], "cancelled"),
        ([], "sent"),
    ],
)
def test_one_word_sums_up_all_firings(backend, later, states, state):
    number = later()["id"]
    Occurrence.objects.all().delete()
    moment = timezone.now() + timedelta(days=1)
    for zone, it in enumerate(states):
        Occurrence.objects.create(
            notification_id=number,
            due_at=moment,
            zone=str(zone),
            state=it,
            expires_at=moment,
            ledger_day=moment.date(),
        )
    assert read(backend, number)["state"] == state


def test_a_local_send_to_zones_nobody_is_in_yet_is_scheduled(backend, later):
    number = later()["id"]
    Occurrence.objects.all().delete()
    Notification.objects.update(zones_open_until=timezone.now() + timedelta(hours=1))
    assert read(backend, number)["state"] == "scheduled"
    Notification.objects.update(zones_open_until=timezone.now() - timedelta(hours=1))
    assert read(backend, number)["state"] == "sent"


def test_a_moment_that_was_past_is_shown_as_it_was_asked(backend):
    schedule = {**SCHEDULE, "sendAt": "2001-01-01 00:00"}
    for past in ("ignore", "nextDay"):
        said = {**schedule, "pastTimes": past}
        number = sent(backend.send(broadcast=True, scheduled=True, schedule=said)).pk
        assert read(backend, number)["schedule"] == said


def test_what_another_surface_sent_in_a_providers_own_words_can_be_read(backend, app, sends):
    raw = RawMessage(transport="apns", payload={"aps": {}})
    notification = sends.to_everyone().notification
    Notification.objects.filter(pk=notification.pk).update(message=raw.as_json())
    shown = read(backend, notification.pk)
    assert (shown["title"], shown["message"], shown["data"]) == ("", "", None)
    assert (shown["schedule"], shown["filters"]) == (None, {})


# -- the list


def test_notifications_are_listed_newest_first_and_in_pages(backend, later):
    numbers = [later(title=f"number {n}")["id"] for n in range(3)]
    answer = backend.ask("GET", "/notifications")
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["notifications", "totalNotifications", "currentPage"]
    assert [it["id"] for it in body["notifications"]] == numbers[::-1]
    shown = read(backend, numbers[2])
    del shown["occurrences"]
    assert body["notifications"][0] == shown
    page = backend.ask("GET", "/notifications?currentPage=2&numberPerPage=2").json()
    assert [it["id"] for it in page["notifications"]] == numbers[:1]
    assert (page["totalNotifications"], page["currentPage"]) == (3, 2)
    assert backend.ask("GET", "/notifications?currentPage=9").json()["notifications"] == []


def test_a_page_costs_the_same_however_long_it_is(backend, later, django_assert_max_num_queries):
    for _ in range(10):
        later()
    with django_assert_max_num_queries(6):
        assert len(backend.ask("GET", "/notifications").json()["notifications"]) == 10


def test_a_page_that_is_none_is_refused(backend, db):
    answer = backend.ask("GET", "/notifications?currentPage=0&numberPerPage=x")
    no(answer, 422)
    assert set(answer.json()) == {"error", "currentPage", "numberPerPage"}


def test_in_app_messages_and_other_apps_are_not_listed(backend, other_backend, later):
    number = later()["id"]
    Notification.objects.filter(pk=number).update(kind=Notification.Kind.IN_APP)
    other = later()["id"]
    assert [it["id"] for it in backend.ask("GET", "/notifications").json()["notifications"]] == [
        other
    ]
    assert other_backend.ask("GET", "/notifications").json()["totalNotifications"] == 0


# -- what is not there


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("prefix", ["/notifications", "/v2/notifications"])
def test_in_app_messages_other_apps_and_strange_ids_are_not_found(
    backend, other_backend, later, method, prefix
):
    if (method, prefix) == ("PUT", "/v2/notifications"):
        no(backend.ask(method, f"{prefix}/1"), 405)
        return
    number = later()["id"]
    no(other_backend.ask(method, f"{prefix}/{number}", {}), 404)
    Notification.objects.update(kind=Notification.Kind.IN_APP)
    for strange in (number, 0, -1, 2**31, "9" * 40, "x", "%00", "%D9%A1"):
        no(backend.ask(method, f"{prefix}/{strange}", {}), 404)
    assert Occurrence.objects.get().state == Occurrence.State.DUE


def test_opens_of_an_in_app_message_are_none_of_a_notification(backend, later):
    number = later()["id"]
    Notification.objects.update(kind=Notification.Kind.IN_APP)
    for by in ("install", "user"):
        no(backend.ask("GET", f"/notifications/{number}/{by}-opens"), 404)


# -- editing


def test_an_edit_puts_the_whole_ask_anew_under_the_same_id(backend, later):
    before = later(data={"a": 1}, userIds=["u"], collapseId="x", reportingMeta={"c": 1})
    body = {
        "title": "Anew",
        "message": "World",
        "installIds": ["i"],
        "scheduled": True,
        "schedule": {**SCHEDULE, "sendAt": "2099-02-02 10:00"},
    }
    answer = backend.ask("PUT", f"/notifications/{before['id']}", body)
    assert answer.status_code == 200, answer.content
    after = answer.json()
    assert after == read(backend, before["id"])
    assert (after["id"], after["createdAt"]) == (before["id"], before["createdAt"])
    assert (after["title"], after["message"], after["data"]) == ("Anew", "World", None)
    assert after["filters"] == {"installIds": ["i"]}
    assert after["schedule"] == body["schedule"]
    assert [it["dueAt"] for it in after["occurrences"]] == ["2099-02-02T10:00:00+0000"]
    notification = Notification.objects.get()
    assert notification.audience == {"install_uids": ["i"]}
    assert (notification.reporting_meta, notification.message.get("collapse_id")) == ({}, None)


def test_an_edit_may_send_at_once(backend, later, phones):
    token = phones.ring("a")
    number = later()["id"]
    ask = {"title": "t", "message": "m", "broadcast": True}
    assert backend.ask("PUT", f"/notifications/{number}", ask).status_code == 200
    begin(number)
    assert read(backend, number)["counts"]["targeted"] == 1
    assert token.install.uid == "a"


def test_an_edit_is_read_as_strictly_as_a_send(backend, later):
    before = later()
    answer = backend.ask("PUT", f"/notifications/{before['id']}", {"title": "", "ttl": -1})
    no(answer, 422)
    assert set(answer.json()) == {"error", "title", "message", "broadcast", "ttl"}
    body = {"title": "t", "message": "m", "segmentId": 1}
    no(backend.ask("PUT", f"/notifications/{before['id']}", body), 422)
    no(backend.ask("PUT", f"/notifications/{before['id']}", b"{"), 422)
    big = {"title": "t", "message": "m", "broadcast": True, "data": {"a": "x" * 5000}}
    no(backend.ask("PUT", f"/notifications/{before['id']}", big), 422)
    assert read(backend, before["id"])["title"] == before["title"]
    assert Occurrence.objects.count() == 1


ANEW = {"title": "Anew", "message": "m", "broadcast": True}


@pytest.mark.parametrize("state", ["planning", "sending", "finished", "cancelled", "skipped"])
def test_what_has_begun_cannot_be_edited(backend, later, state):
    number = later()["id"]
    Occurrence.objects.update(state=state)
    answer = backend.ask("PUT", f"/notifications/{number}", ANEW)
    no(answer, 422)
    assert list(answer.json()) == ["error"]
    assert read(backend, number)["title"] == "Hello World"
    assert Occurrence.objects.get().state == state


@pytest.mark.parametrize("state", ["finished", "cancelled", "skipped"])
def test_what_is_over_cannot_be_cancelled(backend, later, state):
    number = later()["id"]
    Occurrence.objects.update(state=state)
    answer = backend.ask("DELETE", f"/notifications/{number}")
    no(answer, 422)
    assert list(answer.json()) == ["error"]


# -- cancelling


def test_what_is_cancelled_reaches_nobody(backend, later, phones):
    phones.ring("a")
    number = later()["id"]
    answer = backend.ask("DELETE", f"/notifications/{number}")
    assert (answer.status_code, answer.content) == (204, b"")
    begin(number)
    shown = read(backend, number)
    assert shown["state"] == "cancelled"
    assert shown["counts"]["targeted"] == 0
    no(backend.ask("DELETE", f"/notifications/{number}"), 422)


def test_what_is_cancelled_half_way_tells_how_many_have_it(backend, half_way):
    number = half_way
    assert backend.ask("DELETE", f"/notifications/{number}").status_code == 204
    while dispatch.deliver_next("bulk"):
        pass
    shown = read(backend, number)
    assert shown["state"] == "cancelled"
    told = {
        name: shown["counts"][name] for name in ("targeted", "accepted", "cancelled", "pending")
    }
    assert told == {"targeted": 6, "accepted": 2, "cancelled": 4, "pending": 0}


def test_what_operators_pause_half_way_tells_so_and_how_many_have_it(app, backend, half_way):
    number = half_way
    pause_sending(app=app, notification_id=number)
    deliver()
    shown = read(backend, number)
    assert (shown["state"], shown["expectedFinishAt"]) == ("paused", None)
    assert shown["counts"] == {**NONE, "targeted": 6, "accepted": 2, "pending": 4, "opened": 0}
    assert [firing["state"] for firing in shown["occurrences"]] == ["paused"]

    resume_sending(app=app, notification_id=number)
    assert read(backend, number)["state"] == "sending"
    deliver()
    shown = read(backend, number)
    assert (shown["state"], shown["counts"]["accepted"]) == ("sent", 6)


@pytest.mark.parametrize("method", ["POST", "PATCH", "OPTIONS"])
def test_a_notification_is_read_replaced_or_cancelled(backend, later, method):
    no(backend.ask(method, f"/notifications/{later()['id']}", {}), 405)
