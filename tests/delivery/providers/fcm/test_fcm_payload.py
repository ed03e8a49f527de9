"""What Kumulos' SDK for Android and FCM v1 want (contract: kumulos §4.2, providers §2.3)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.message import Badge, BadgeChange, Button, Message, RawMessage
from delivery.providers.contract import Push, Transport
from delivery.providers.fcm.client import find_fault
from delivery.providers.fcm.payload import Rendered, content_size, is_reserved, render
from delivery.providers.refusal import TooLarge

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def rendered(message: Message | RawMessage, **changes: object) -> Rendered:
    said = {
        "message": message,
        "notification_id": 123,
        "occurrence_id": 45,
        "transport": Transport.FCM,
    }
    return render(Push(**{**said, **changes}), now=NOW)


def hello(**said: object) -> Message:
    return Message(title="Hello", body="World", **said)


def raw(payload: dict[str, object], **said: object) -> RawMessage:
    return RawMessage(transport=said.pop("transport", "fcm"), payload=payload, **said)


def test_a_picture_and_buttons_are_where_the_sdk_looks() -> None:
    message = hello(image="https://example.com/cat.png", buttons=(Button(id="yes", text="Yes"),))
    data = rendered(message).message["data"]
    assert data["bicon"] == "https://example.com/cat.png"
    assert json.loads(data["custom"])["a"]["k.buttons"] == [{"id": "yes", "text": "Yes"}]
    assert not find_fault(rendered(message).message)


def test_everything_said_arrives_in_kumulos_shape() -> None:
    message = hello(
        url="https://example.com",
        data={"promo": "x"},
        background=True,
        high_priority=True,
        collapse_id="c1",
    )
    said = json.loads(rendered(message).body_for("a-token"))
    custom = json.loads(said["message"]["data"].pop("custom"))
    assert said == {
        "message": {
            "token": "a-token",
            "android": {"priority": "HIGH", "collapse_key": "c1"},
            "data": {"title": "Hello", "alert": "World", "bgn": "1"},
        }
    }
    assert custom == {
        "a": {"k.message": {"type": 1, "data": {"id": 123}}, "promo": "x"},
        "u": "https://example.com",
    }


def test_what_was_not_said_is_absent() -> None:
    message = rendered(hello(badge=Badge(change=BadgeChange.SET, count=3), sound="x.caf")).message
    assert message["android"] == {"priority": "NORMAL"}
    assert message["data"].keys() == {"title", "alert", "custom"}
    assert json.loads(message["data"]["custom"]) == {
        "a": {"k.message": {"type": 1, "data": {"id": 123}}}
    }


def test_it_is_a_data_message_because_the_sdk_never_sees_another() -> None:
    assert "notification" not in rendered(hello()).message


def test_every_value_of_data_is_a_string() -> None:
    message = rendered(hello(data={"n": 1, "deep": {"x": [1, None]}}, background=True)).message
    assert all(isinstance(value, str) for value in message["data"].values())


def test_data_cannot_take_the_place_of_the_message_id() -> None:
    message = rendered(hello(data={"k.message": "mine"})).message
    assert json.loads(message["data"]["custom"])["a"] == {
        "k.message": {"type": 1, "data": {"id": 123}}
    }


@pytest.mark.parametrize(
    ("left", "ttl"),
    [
        (timedelta(hours=1), "3600s"),
        (timedelta(seconds=1.9), "1s"),
        (timedelta(0), "0s"),
        (-timedelta(hours=1), "0s"),
        (timedelta(days=365), "2419200s"),
    ],
)
def test_what_is_left_to_live_is_told_within_googles_limits(left: timedelta, ttl: str) -> None:
    assert rendered(hello(), expires_at=NOW + left).message["android"]["ttl"] == ttl


def test_a_push_without_expiry_leaves_google_its_default() -> None:
    assert "ttl" not in rendered(hello()).message["android"]


def test_a_raw_message_keeps_what_it_says_and_gains_what_it_does_not() -> None:
    payload = {
        "data": {"message": "Walking in a flowers garden", "user_id": "51"},
        "android": {"notification": {"title": "x"}},
    }
    made = rendered(raw(payload, collapse_id="event8430"), expires_at=NOW + timedelta(minutes=1))
    assert made.message == {
        "data": payload["data"],
        "android": {
            "priority": "high",
            "collapse_key": "event8430",
            "ttl": "60s",
            "notification": {"title": "x"},
        },
    }


def test_a_raw_message_may_overrule_priority_and_ttl_but_not_its_target() -> None:
    payload = {"token": "theirs", "topic": "all", "android": {"priority": "normal", "ttl": "5s"}}
    made = rendered(raw(payload), expires_at=NOW + timedelta(minutes=1))
    assert made.message == {"android": {"priority": "normal", "ttl": "5s"}}
    assert json.loads(made.body_for("ours"))["message"]["token"] == "ours"


@given(address=st.text(max_size=50), title=st.text(max_size=50))
def test_any_token_is_spliced_as_a_json_string(address: str, title: str) -> None:
    said = json.loads(rendered(Message(title=title, body="")).body_for(address))
    assert said["message"]["token"] == address
    assert said["message"]["data"]["title"] == title


@pytest.mark.parametrize(
    "key",
    ["from", "message_type", "gcm", "google.x", "google", "googleish", "gcm.notification.title"],
)
def test_keys_of_either_page_are_reserved(key: str) -> None:
    assert is_reserved(key)
    refusal = rendered(raw({"data": {key: "x"}})).refusal
    assert refusal is not None
    assert key in str(refusal)


@pytest.mark.parametrize("key", ["fromage", "message", "gcmx", "k.message", "a"])
def test_other_keys_are_free(key: str) -> None:
    assert not is_reserved(key)
    assert rendered(raw({"data": {key: "x"}})).refusal is None


@pytest.mark.parametrize(
    ("payload", "field"),
    [({"data": {"n": 1}}, "data"), ({"data": ["x"]}, "data")],
)
def test_data_that_is_not_strings_is_refused(payload: dict[str, object], field: str) -> None:
    refusal = rendered(raw(payload)).refusal
    assert refusal is not None
    assert refusal.field == field


def test_a_message_for_another_transport_is_refused() -> None:
    refusal = rendered(raw({"aps": {}}, transport="apns")).refusal
    assert str(refusal) == "message is for apns"


def test_the_limit_counts_keys_and_values_of_what_the_app_gets() -> None:
    fits = {"data": {"key": "ü" * 2046}}  # 3 + 4092 bytes
    assert content_size(fits) == 4095
    assert rendered(raw(fits)).refusal is None
    refusal = rendered(raw({"data": {"key": "ü" * 2047}})).refusal
    assert isinstance(refusal, TooLarge)
    assert (refusal.size, refusal.limit) == (4097, 4096)


def test_a_notification_counts_too() -> None:
    assert content_size({"notification": {"title": "abc", "n": [1, None]}}) == 5 + 3 + 1 + 1


@pytest.mark.parametrize(
    ("message", "live"),
    [
        ({"apns": {"liveActivityToken": "t"}}, True),
        ({"apns": {"live_activity_token": "t"}}, True),
        ({"apns": {"payload": {}}}, False),
        ({}, False),
    ],
)
def test_a_push_to_a_live_activity_is_known_as_one(message: dict[str, object], live: bool) -> None:
    assert rendered(raw(message)).live_activity is live


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ({"data": {"a": "b"}, "android": {"priority": "HIGH", "ttl": "60s"}}, ""),
        ({"android": {"priority": "urgent"}}, "AndroidConfig.priority"),
        ({"android": {"ttl": "-5s"}}, "AndroidConfig.ttl"),
        ({"android": {"ttl": "soon"}}, "could not convert"),
        ({"android": {"collapse_key": 5}}, "AndroidConfig.collapse_key"),
        ({"data": {"a": 1}}, "Message.data"),
        ({"webpush": {"headers": {}}, "android": {"notification": {"x": 1}}}, ""),
    ],
)
def test_firebase_admin_checks_what_it_can(message: dict[str, object], fault: str) -> None:
    assert find_fault(message).startswith(fault)
    assert bool(find_fault(message)) == bool(fault)


def test_kumulos_messages_pass_firebase_admins_check() -> None:
    message = hello(high_priority=True, collapse_id="c", background=True)
    assert find_fault(rendered(message, expires_at=NOW + timedelta(hours=1)).message) == ""
