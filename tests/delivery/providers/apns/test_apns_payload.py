"""What Kumulos' SDK for iOS and Apple's headers want (contract: kumulos §4.1, providers §1.2)."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.message import SILENT, Badge, BadgeChange, Button, Message, RawMessage
from delivery.providers.apns.payload import Rendered, payload_of, render, size_limit
from delivery.providers.contract import Push, Transport
from delivery.providers.refusal import TooLarge

LATER = datetime(2027, 1, 1, tzinfo=UTC)


def push_of(message: Message | RawMessage, **changes: object) -> Push:
    said = {
        "message": message,
        "notification_id": 123,
        "occurrence_id": 45,
        "transport": Transport.APNS,
        "topic": "com.example.app",
    }
    return Push(**{**said, **changes})


def rendered(message: Message | RawMessage, **changes: object) -> Rendered:
    return render(push_of(message, **changes))


def hello(**said: object) -> Message:
    return Message(title="Hello", body="World", **said)


def raw(payload: dict[str, object], **said: object) -> RawMessage:
    return RawMessage(transport=said.pop("transport", "apns"), payload=payload, **said)


def test_everything_said_arrives_in_kumulos_shape() -> None:
    message = hello(
        url="https://example.com",
        data={"promo": "x"},
        badge=Badge(change=BadgeChange.INCREMENT, count=2),
    )
    assert json.loads(rendered(message).body) == {
        "aps": {
            "alert": {"title": "Hello", "body": "World"},
            "sound": "default",
            "badge": 2,
            "mutable-content": 1,
        },
        "custom": {
            "a": {"k.message": {"type": 1, "data": {"id": 123}}, "promo": "x"},
            "u": "https://example.com",
            "badge_inc": 2,
        },
    }


def test_a_picture_and_buttons_are_where_the_extension_looks() -> None:
    buttons = (Button(id="yes", text="Yes"), Button(id="no", text="No"))
    content = json.loads(rendered(hello(image="https://example.com/cat.png", buttons=buttons)).body)
    assert content["attachments"] == {"pictureUrl": "https://example.com/cat.png"}
    assert content["custom"]["a"]["k.buttons"] == [
        {"id": "yes", "text": "Yes"},
        {"id": "no", "text": "No"},
    ]


def test_what_was_not_said_is_absent_rather_than_null() -> None:
    assert json.loads(rendered(hello()).body) == {
        "aps": {
            "alert": {"title": "Hello", "body": "World"},
            "sound": "default",
            "mutable-content": 1,
        },
        "custom": {"a": {"k.message": {"type": 1, "data": {"id": 123}}}},
    }


@pytest.mark.parametrize(
    ("badge", "aps_badge", "badge_inc"),
    [
        (Badge(change=BadgeChange.SET, count=3), 3, None),
        (Badge(change=BadgeChange.SET, count=0), 0, None),
        (Badge(change=BadgeChange.SET, count=-3), 0, None),
        (Badge(change=BadgeChange.INCREMENT, count=2), 2, 2),
        (Badge(change=BadgeChange.INCREMENT, count=-2), 0, -2),
    ],
)
def test_a_badge_is_never_negative_but_an_increment_may_be(
    badge: Badge, aps_badge: int, badge_inc: int | None
) -> None:
    said = payload_of(push_of(hello(badge=badge)))
    assert said["aps"]["badge"] == aps_badge
    assert said["custom"].get("badge_inc") == badge_inc
    assert ("badge_inc" in said["custom"]) == (badge_inc is not None)


@pytest.mark.parametrize(
    ("sound", "aps_sound"), [(None, "default"), ("ping.caf", "ping.caf"), (SILENT, None)]
)
def test_a_sound_is_a_file_the_default_or_left_out(
    sound: str | None, aps_sound: str | None
) -> None:
    aps = payload_of(push_of(hello(sound=sound)))["aps"]
    assert aps.get("sound") == aps_sound
    assert ("sound" in aps) == (aps_sound is not None)


def test_a_background_message_wakes_the_app_and_still_shows_its_text() -> None:
    made = rendered(hello(background=True))
    said = json.loads(made.body)
    assert said["aps"]["content-available"] == 1
    assert said["aps"]["alert"] == {"title": "Hello", "body": "World"}
    assert (made.push_type, made.priority) == ("alert", 10)


def test_data_cannot_take_the_place_of_the_message_id() -> None:
    said = payload_of(push_of(hello(data={"k.message": "mine", "k.channel": "offers"})))
    assert said["custom"]["a"] == {
        "k.message": {"type": 1, "data": {"id": 123}},
        "k.channel": "offers",
    }


def test_no_category_is_set_for_the_extension_brings_its_own() -> None:
    assert "category" not in payload_of(push_of(hello()))["aps"]


def test_the_body_is_rendered_compactly_in_utf_8() -> None:
    body = rendered(Message(title="Grüße", body="→ 😀")).body
    assert "Grüße".encode() in body
    assert b": " not in body


def test_numbers_wider_than_64_bits_and_lone_surrogates_travel() -> None:
    data = {"wide": 2**70, "half": "\ud83d"}
    said = json.loads(rendered(hello(data=data)).body)
    assert said["custom"]["a"]["wide"] == 2**70
    assert said["custom"]["a"]["half"] == "\ud83d"


def test_a_raw_payload_travels_unchanged() -> None:
    payload = {"aps": {"alert": {"body": "Walking"}, "badge": 2}, "user_id": "51", "n": None}
    assert json.loads(rendered(raw(payload)).body) == payload


@pytest.mark.parametrize(
    ("payload", "push_type", "priority"),
    [
        ({"aps": {"content-available": 1}}, "background", 5),
        ({"aps": {"content-available": 1, "alert": "x"}}, "alert", 10),
        ({"aps": {"content-available": 1, "badge": 1}}, "alert", 10),
        ({"aps": {"alert": "x"}}, "alert", 10),
        ({"aps": {}}, "alert", 10),
        ({"aps": "odd"}, "alert", 10),
    ],
)
def test_a_raw_payload_that_shows_nothing_is_a_background_push(
    payload: dict[str, object], push_type: str, priority: int
) -> None:
    made = rendered(raw(payload))
    assert (made.push_type, made.priority) == (push_type, priority)


def test_headers_asked_for_are_sent() -> None:
    asked = {"apns-push-type": "background", "apns-priority": "1", "apns-expiration": 0}
    made = rendered(raw({"aps": {}}, headers=asked), expires_at=LATER)
    assert (made.push_type, made.priority, made.expiration) == ("background", 1, 0)


def test_a_voip_token_gets_a_voip_push() -> None:
    made = rendered(raw({"aps": {}}, transport="apns_voip"), transport=Transport.APNS_VOIP)
    assert (made.topic, made.push_type, made.priority) == ("com.example.app.voip", "voip", 10)


@pytest.mark.parametrize(
    ("push_type", "topic"),
    [
        ("alert", "com.example.app"),
        ("background", "com.example.app"),
        ("voip", "com.example.app.voip"),
        ("complication", "com.example.app.complication"),
        ("fileprovider", "com.example.app.pushkit.fileprovider"),
        ("location", "com.example.app.location-query"),
        ("liveactivity", "com.example.app.push-type.liveactivity"),
        ("pushtotalk", "com.example.app.voip-ptt"),
        ("widgets", "com.example.app.push-type.widgets"),
        ("controls", "com.example.app.push-type.controls"),
        ("mdm", "com.example.app"),
    ],
)
def test_each_push_type_has_its_topic(push_type: str, topic: str) -> None:
    message = raw({"aps": {}}, headers={"apns-push-type": push_type})
    assert rendered(message).topic == topic
    assert rendered(message, topic=topic).topic == topic


def test_a_token_without_a_topic_uses_the_credentials_own() -> None:
    made = render(push_of(hello(), topic=""), default_topic="com.example.default")
    assert made.topic == "com.example.default"


@pytest.mark.parametrize(("expires_at", "expiration"), [(None, None), (LATER, 1798761600)])
def test_expiry_is_in_epoch_seconds_and_absent_where_nobody_set_one(
    expires_at: datetime | None, expiration: int | None
) -> None:
    assert rendered(hello(), expires_at=expires_at).expiration == expiration


def test_a_replay_replaces_what_it_doubles() -> None:
    assert rendered(hello()).collapse_id == "o45"
    assert rendered(hello(collapse_id="score")).collapse_id == "score"
    assert rendered(raw({"aps": {}}, collapse_id="event7")).collapse_id == "event7"


@pytest.mark.parametrize(("push_type", "limit"), [("alert", 4096), ("voip", 5120)])
def test_the_limit_depends_on_the_push_type(push_type: str, limit: int) -> None:
    assert size_limit(push_type) == limit


@pytest.mark.parametrize(
    ("transport", "limit"), [(Transport.APNS, 4096), (Transport.APNS_VOIP, 5120)]
)
def test_size_is_measured_on_the_bytes_sent(transport: Transport, limit: int) -> None:
    around = len(rendered(raw({"aps": {}, "x": ""})).body)
    fits = {"aps": {}, "x": "ü" * ((limit - around) // 2)}
    message = raw(fits, transport=transport)
    assert rendered(message, transport=transport).refusal is None

    over = raw({**fits, "y": 1}, transport=transport)
    refusal = rendered(over, transport=transport).refusal
    assert isinstance(refusal, TooLarge)
    assert refusal.limit == limit
    assert refusal.size == len(rendered(over, transport=transport).body)
    assert str(refusal.size) in str(refusal)


@pytest.mark.parametrize(
    ("message", "changes", "field"),
    [
        (raw({}, transport="fcm"), {}, "message"),
        (raw({"aps": {}}), {"transport": Transport.APNS_VOIP}, "message"),
        (hello(), {"topic": ""}, "topic"),
        (hello(), {"topic": "com.exämple"}, "topic"),
        (hello(collapse_id="ü" * 33), {}, "collapse_id"),
        (hello(collapse_id="a\r\nb"), {}, "collapse_id"),
        (raw({"aps": {}}, headers={"apns-push-type": "loud"}), {}, "push_type"),
    ],
)
def test_what_apple_would_refuse_is_known_before_sending(
    message: Message | RawMessage, changes: dict[str, object], field: str
) -> None:
    refusal = rendered(message, **changes).refusal
    assert refusal is not None
    assert refusal.field == field
    assert str(refusal).startswith(field)


def test_a_collapse_id_of_64_bytes_is_fine() -> None:
    assert rendered(hello(collapse_id="ü" * 32)).refusal is None


@given(
    title=st.text(max_size=200),
    body=st.text(max_size=200),
    data=st.dictionaries(st.text(max_size=10), st.text(max_size=50), max_size=5),
)
def test_any_text_survives_the_rendering(title: str, body: str, data: dict[str, str]) -> None:
    said = json.loads(rendered(Message(title=title, body=body, data=data)).body)
    assert said["aps"]["alert"] == {"title": title, "body": body}
    assert (
        said["custom"]["a"].items()
        >= {key: value for key, value in data.items() if key != "k.message"}.items()
    )
