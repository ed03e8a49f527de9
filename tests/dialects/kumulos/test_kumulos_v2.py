"""The vendor's second API for sending (contracts/kumulos §7)."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kumulos_calls import refused

from crm.models import App, Channel, Segment
from delivery.message import read_message
from delivery.models import Notification, Occurrence
from gateway.kumulos.notifications.v2.fields import NotificationV2Fields, TargetFields

SCHEDULE = {"sendAt": "2099-01-01 09:30", "strategy": "utc", "pastTimes": "ignore"}
CONTENT = {"title": "Hello World", "message": "from Kumulos Push"}


@pytest.fixture
def send(backend):
    """Send in the second shape; only what matters to a test needs to be said."""

    def ask(**said: Any):
        body = {"target": {"broadcast": True}, "content": CONTENT, **said}
        return backend.ask("POST", "/v2/notifications", body)

    return ask


def accepted(answer) -> Notification:
    assert answer.status_code == 202, answer.content
    return Notification.objects.get(pk=answer.json()["notification"]["id"])


@pytest.mark.parametrize("status", [200, 202])
def test_yes_is_the_status_the_apps_clients_know(send, app, status):
    App.objects.filter(pk=app.pk).update(kumulos_v2_status=status)
    answer = send()
    assert answer.status_code == status
    assert answer.json()["notification"]["id"] == Notification.objects.get().pk


def test_the_second_shape_asks_for_what_the_first_does(send, backend, app):
    channel = Channel.objects.create(app=app, uuid="news")
    targets = {
        "installIds": ["i"],
        "userIds": ["u"],
        "channelIds": [channel.pk],
        "channelUuids": ["news"],
        "excludeInstallIds": ["x"],
    }
    rest = {
        "scheduled": True,
        "schedule": {**SCHEDULE, "skipAfter": 5},
        "url": "https://example.com",
        "data": {"a": 1},
        "ios": {"hasBadge": True, "badgeType": "setTo", "badgeCount": 3},
        "android": {"highPriority": True},
        "collapseId": "c",
        "soundConfig": {"iosSound": "none"},
        "userMeta": {"u": {"n": 1}},
        "reportingMeta": {"r": 1},
        "ttl": 60,
        "lane": "bulk",
    }
    second = send(target=targets, runBackgroundHandler=True, **rest)
    first = backend.send(**targets, isBackground=True, **rest)
    ours, theirs = accepted(second), Notification.objects.get(pk=first.json()["id"])
    same = ("message", "audience", "schedule", "filters", "reporting_meta", "user_meta", "lane")
    for column in (*same, "time_to_live", "source", "kind"):
        assert getattr(ours, column) == getattr(theirs, column), column
    assert ours.time_to_live == timedelta(seconds=60)
    assert read_message(ours.message).background
    assert {**first.json(), **second.json()["notification"]} == second.json()["notification"]


def test_what_is_not_said_is_not_sent(send):
    notification = accepted(send())
    assert notification.message == {"title": "Hello World", "body": "from Kumulos Push"}
    assert notification.audience == {"everyone": True}


# -- refusals


@pytest.mark.parametrize(
    ("said", "keys"),
    [
        ({"target": None}, ["target"]),
        ({"target": []}, ["target"]),
        ({"target": {}}, ["target.broadcast"]),
        ({"target": {"broadcast": False, "userIds": []}}, ["target.broadcast"]),
        ({"target": {"userIds": [1], "segmentId": "x"}}, ["target.userIds", "target.segmentId"]),
        (
            {"target": {"channelIds": [1], "segmentId": 1}},
            ["target.channelIds", "target.segmentId"],
        ),
        ({"target": {"channelUuids": ["no"]}}, ["target.channelUuids"]),
        ({"content": None}, ["content"]),
        ({"content": "x"}, ["content"]),
        ({"content": {"title": "", "message": 1}}, ["content.title", "content.message"]),
        ({"content": {}, "target": {}}, ["content.title", "content.message", "target.broadcast"]),
        ({"runBackgroundHandler": 1}, ["runBackgroundHandler"]),
        ({"scheduled": "yes", "ttl": -1}, ["scheduled", "ttl"]),
        (
            {"scheduled": True},
            ["schedule.sendAt", "schedule.strategy", "schedule.pastTimes"],
        ),
        ({"ios": {"hasBadge": True}}, ["ios.badgeType", "ios.badgeCount"]),
        ({"content": {**CONTENT, "message": "x" * 5000}}, ["content.message"]),
        ({"data": {"k": "x" * 5000}}, ["content.message"]),
    ],
)
def test_every_bad_key_is_named_where_it_stands(send, said, keys):
    refused(send(**said), *keys)


def test_an_empty_ask_lacks_its_two_boxes(backend):
    body = refused(backend.ask("POST", "/v2/notifications", {}), "content", "target")
    assert body["error"] == "content is required"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null"])
def test_a_body_that_is_no_json_object_is_refused(backend, body):
    refused(backend.ask("POST", "/v2/notifications", body))


def test_keys_of_the_first_shape_and_unknown_ones_are_ignored(send):
    accepted(send(title=5, broadcast="no", isBackground=9, schedule=7, image="x"))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
boxes = st.dictionaries(
    st.sampled_from([*TargetFields().get_fields(), "title", "message", "sendAt", "strategy"]),
    values | st.sampled_from([True, "local", "2099-01-01 10:00"]),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    said=st.dictionaries(
        st.sampled_from([*NotificationV2Fields().get_fields()]), values | boxes, max_size=4
    )
)
def test_any_value_under_any_key_is_taken_or_refused(send, said):
    before = Notification.objects.count()
    answer = send(**said)
    assert answer.status_code in {202, 400, 422}
    if answer.status_code != 202:
        assert isinstance(answer.json()["error"], str)
    assert Notification.objects.count() == before + (answer.status_code == 202)


def test_another_apps_segment_is_unknown(send, other_app):
    theirs = Segment.objects.create(app=other_app.app, name="theirs", rule={})
    refused(send(target={"segmentUuid": str(theirs.uuid)}), "target.segmentUuid")


@pytest.mark.parametrize(
    "target", [{"userIds": ["no"]}, {"installIds": ["no"]}, {"userIds": ["no"], "installIds": [""]}]
)
def test_naming_only_people_who_do_not_exist_is_a_400(send, phones, other_device, event, target):
    phones.ring("install-1", user="member")
    other_device.tell(event("k.stats.userAssociated", {"id": "no"}), install="no")
    answer = send(target=target)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert not Notification.objects.exists()


@pytest.mark.parametrize(
    "target",
    [
        {"userIds": ["no", "member"]},
        {"installIds": ["install-1"], "userIds": ["no"]},
        {"userIds": ["no"], "broadcast": True},
        {"userIds": ["no"], "channelUuids": ["news"]},
    ],
)
def test_naming_somebody_who_exists_is_enough(send, app, phones, target):
    phones.ring("install-1", user="member")
    Channel.objects.create(app=app, uuid="news")
    accepted(send(target=target))


# -- reading and cancelling


def test_a_notification_is_read_in_a_box_as_in_the_first_api(send, backend):
    number = accepted(send(scheduled=True, schedule=SCHEDULE)).pk
    answer = backend.ask("GET", f"/v2/notifications/{number}")
    assert answer.status_code == 200
    assert answer.json() == {"notification": backend.ask("GET", f"/notifications/{number}").json()}


def test_a_cancelled_notification_cannot_be_cancelled_again(send, backend):
    number = accepted(send(scheduled=True, schedule=SCHEDULE)).pk
    answer = backend.ask("DELETE", f"/v2/notifications/{number}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert Occurrence.objects.get().state == Occurrence.State.CANCELLED
    answer = backend.ask("DELETE", f"/v2/notifications/{number}")
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]


def test_what_was_sent_cannot_be_cancelled(send, backend):
    number = accepted(send()).pk
    Occurrence.objects.update(state=Occurrence.State.FINISHED)
    assert backend.ask("DELETE", f"/v2/notifications/{number}").status_code == 400


def test_the_device_key_opens_nothing_here(device):
    for method, path in (
        ("POST", "/v2/notifications"),
        ("GET", "/v2/notifications/1"),
        ("DELETE", "/v2/notifications/1"),
        ("GET", "/notifications"),
        ("GET", "/notifications/1"),
        ("PUT", "/notifications/1"),
        ("DELETE", "/notifications/1"),
    ):
        assert device.ask(method, path, {}).status_code == 401, (method, path)
