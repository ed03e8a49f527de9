"""Messages as the vendor documents them and clients send them (contract: connectycube §8, §9)."""

import base64
import json
from datetime import UTC, datetime

import pytest

from crm.errors import Invalid
from delivery.message import RawMessage
from delivery.providers.apns import payload as apns
from delivery.providers.contract import Push, Transport
from delivery.providers.fcm import payload as fcm
from delivery.providers.fitness import refusal_of
from delivery.providers.refusal import TooLarge
from gateway.connectycube.message_codec import Channel, Platform, Universal, compose, decode
from gateway.rest.storable import DEEPEST

ALERT = {"aps": {"alert": "Hello"}}
POKER = (
    "payload=ew0KICAgICJhcHMiIDogew0KICAgICAgICAiYWxlcnQiIDogew0KICAgICAgICAgICAgInRpdGxlIiA6ICJH"
    "YW1lIFJlcXVlc3QiLA0KICAgICAgICAgICAgImJvZHkiIDogIkJvYiB3YW50cyB0byBwbGF5IHBva2VyIg0KICAgICAg"
    "ICB9LA0KICAgICAgICAiYmFkZ2UiIDogNQ0KICAgIH0sDQogICAgImFjbWUxIiA6ICJiYXIiDQp9"
)


def b64(said: object) -> str:
    text = said if isinstance(said, str) else json.dumps(said)
    return base64.b64encode(text.encode()).decode()


def universal(said: object) -> Universal:
    found = decode(b64(said))
    assert isinstance(found, Universal)
    return found


def payload(said: object, channel: Channel = Channel.APNS) -> dict:
    """Give what a universal message comes to on a channel."""
    return compose(universal(said), channel).message.payload


def data(said: object) -> dict:
    return payload(said, Channel.GCM)["data"]


def reason(text: object, channel: Channel | None = None) -> str:
    """Give why a message is refused, by itself or on a channel."""
    found = decode(text) if channel else None
    with pytest.raises(Invalid) as refused:
        compose(found, channel) if channel else decode(text)
    assert list(refused.value.reasons) == ["message"]
    (why,) = refused.value.reasons["message"]
    return why


def push_of(message: RawMessage) -> Push:
    return Push(
        message=message,
        notification_id=8430,
        occurrence_id=7,
        transport=Transport(message.transport),
        topic="com.example.app",
    )


# The seed's own examples


def test_the_seeds_event_arrives_as_apples_json_and_is_kept_as_sent():
    found = decode(POKER)
    assert isinstance(found, Platform)
    assert (found.family, found.text) == ("apns", POKER)
    assert found.channels == (Channel.APNS, Channel.APNS_VOIP)
    composed = compose(found, Channel.APNS)
    assert composed.stored == POKER
    assert composed.message == RawMessage(
        transport="apns",
        payload={
            "aps": {
                "alert": {"title": "Game Request", "body": "Bob wants to play poker"},
                "badge": 5,
            },
            "acme1": "bar",
        },
    )


def test_the_seeds_ios_example_arrives_unchanged():
    said = """{
           "aps" : {
               "alert" : "Hello world",
               "badge" : 2
           },
           "dialog_id" : "89y970c0912c123fed45652n",
           "user_id" : 51
       }"""
    composed = compose(decode(f"payload={b64(said)}"), Channel.APNS)
    assert composed.message.payload == json.loads(said)


def test_the_seeds_android_example_arrives_as_plain_text():
    text = "data.message=TmV3K21lc3NhZ2UrYXJyaXZlZA=="
    found = decode(text)
    assert found == Platform("fcm", text, {"message": "New message arrived"})
    assert found.channels == (Channel.GCM,)
    composed = compose(found, Channel.GCM)
    assert composed.stored == text
    assert composed.message == RawMessage(
        transport="fcm",
        payload={"data": {"message": "New message arrived"}},
        collapse_id="event{notification}",
    )


@pytest.mark.parametrize("separator", ["&", "%26"])
def test_the_seeds_pairs_are_parted_by_either_spelling_of_the_separator(separator):
    values = ["c29tZXZhbHVlMQ==", "YW5vdGhlcnZhbHVlMg==", "dGhpcmRleGFtcGxl"]
    names = ["message", "key2", "key3"]
    pairs = (f"data.{name}={value}" for name, value in zip(names, values, strict=True))
    found = decode(separator.join(pairs))
    assert found.payload == dict(
        zip(names, ["somevalue1", "anothervalue2", "thirdexample"], strict=True)
    )


def test_the_seeds_universal_base64_is_plain_text():
    found = decode("V2Fsa2luZyBpbiBhIGZsb3dlcnMgZ2FyZGVu")
    assert found == Universal({"message": "Walking in a flowers garden"})


GARDEN = {
    "message": "Walking in a flowers garden",
    "ios_badge": 2,
    "ios_sound": "lounge.wav",
    "user_id": "51",
}


def test_the_seeds_universal_json_is_said_to_apple():
    composed = compose(universal(GARDEN), Channel.APNS)
    assert composed.message == RawMessage(
        transport="apns",
        payload={
            "aps": {
                "alert": {"body": "Walking in a flowers garden"},
                "badge": 2,
                "sound": "lounge.wav",
            },
            "user_id": "51",
        },
    )
    assert composed.stored == (
        "payload=eyJhcHMiOnsiYWxlcnQiOnsiYm9keSI6IldhbGtpbmcgaW4gYSBmbG93ZXJzIGdhcmRlbiJ9LCJiYWRnZ"
        "SI6Miwic291bmQiOiJsb3VuZ2Uud2F2In0sInVzZXJfaWQiOiI1MSJ9"
    )


def test_the_seeds_universal_json_is_said_to_google():
    composed = compose(universal(GARDEN), Channel.GCM)
    rendered = fcm.render(push_of(composed.message), now=datetime.now(UTC))
    assert rendered.message == {
        "data": {"message": "Walking in a flowers garden", "user_id": "51"},
        "android": {"collapse_key": "event{notification}", "priority": "high"},
    }
    assert composed.stored == (
        "data.message=V2Fsa2luZytpbithK2Zsb3dlcnMrZ2FyZGVu&data.user_id=NTE="
    )


def test_the_vendors_newer_example_is_understood():
    found = decode(
        "eyJtZXNzYWdlIjoiV2Fsa2luZyBpbiBhIGZsb3dlcnMgZ2FyZGVuIiwiaW9zX2JhZGdlIjoyLCJpb3Nfc291bmQi"
        "OiJsb3VuZ2Uud2F2IiwiZnJpZW5kX2lkIjo1MSwiaW9zX2xvY19kYXRhIjp7InRpdGxlX2xvY19rZXkiOiJHUkVF"
        "VElOR19OT1RJRklDQVRJT04iLCJ0aXRsZV9sb2NfYXJncyI6WyJUb20gU2lsZW5jZXIiXX19"
    )
    assert compose(found, Channel.APNS).message.payload == {
        "aps": {
            "alert": {
                "body": "Walking in a flowers garden",
                "title-loc-key": "GREETING_NOTIFICATION",
                "title-loc-args": ["Tom Silencer"],
            },
            "badge": 2,
            "sound": "lounge.wav",
        },
        "friend_id": 51,
    }


# §8.2: one value


@pytest.mark.parametrize(
    "value",
    [
        "Pz8/fn5+",
        "Pz8_fn5-",  # URL spelling
        "Pz8/fn5 ",  # a form decoder ate the plus
        "Pz8%2Ffn5%2B",  # escaped
        "Pz8%2ffn5 ",  # escaped and eaten
        "Pz8/\r\n\tfn5+\n",  # wrapped
        " Pz8/fn5+",
    ],
)
def test_base64_is_read_in_any_spelling(value):
    assert decode(value) == Universal({"message": "???~~~"})


@pytest.mark.parametrize("value", ["YQ==", "YQ", "YQ=", "YQ===", "YQ%3D%3D", "YQ%3d", "YQ==\n"])
def test_padding_may_be_missing_or_escaped(value):
    assert decode(value) == Universal({"message": "a"})
    assert decode(f"data.message={value}").payload == {"message": "a"}


def test_a_percent_sign_is_decoded_once_only():
    assert reason("YQ%253D%253D") == "is invalid"


@pytest.mark.parametrize(
    "text",
    [
        "YQ*=",
        "Y",
        "YQ==YQ==",
        "/w==",
        "Hello, world!",
        "message=YQ==",
        "YQ==&YQ==",
        "é",
        "%",
        "%C3%A9",
        "data.message=YQ*=",
        "data.message=/w==",
        "data.message=JUZG",  # %FF
        "data.message",
        "data.message=YQ==&data.x",
        5,
        True,
        ["YQ=="],
        {"message": "a"},
        b"YQ==",
        "YQ==\0",
        "\ud800",
    ],
)
def test_what_is_no_message_is_invalid(text):
    assert reason(text) == "is invalid"


@pytest.mark.parametrize("text", [None, "", " ", "\n\t "])
def test_no_message_is_blank(text):
    assert reason(text) == "can't be blank"


@pytest.mark.parametrize("value", ["*", "Y", "/w==", "%"])
def test_a_payload_that_cannot_be_decoded_is_missing(value):
    assert reason(f"payload={value}") == "Should contain 'payload' key"


@pytest.mark.parametrize("said", ["", "Hello", "[]", "5", "null", '"x"', "{", "{'a': 1}"])
def test_a_payload_that_is_no_object_is_invalid(said):
    assert reason(f"payload={b64(said)}") == "is invalid"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("New+message+arrived", "New message arrived"),
        ("New message arrived", "New message arrived"),
        ("50%25+off+%26+more", "50% off & more"),
        ("50% off & more", "50% off & more"),
        ("1 + 1 = 2", "1 + 1 = 2"),
        ("100%", "100%"),
        ("a%7Eb", "a~b"),
        ("a~b*c", "a~b*c"),
        ("Gr%C3%BC%C3%9Fe", "Grüße"),
        ("Grüße+an+alle", "Grüße+an+alle"),
        ("", ""),
    ],
)
def test_a_value_is_unescaped_where_it_was_escaped(said, text):
    assert decode(f"data.message={b64(said)}").payload == {"message": text}


def test_pairs_without_the_prefix_and_without_a_name_are_ignored():
    text = "data.message=YQ==&collapse_key=Yg==&data.=Yw==&&\n data.x=ZA==&"
    assert decode(text).payload == {"message": "a", "x": "d"}


@pytest.mark.parametrize("text", ["data.x=YQ==", "data.=YQ==", "data.messages=YQ=="])
def test_data_must_hold_a_message(text):
    assert reason(text) == "Should contain 'data.message' key"


def test_the_message_need_not_be_the_first_pair():
    assert decode("data.x=YQ==&data.message=Yg==").payload == {"x": "a", "message": "b"}


@pytest.mark.parametrize(
    "text",
    [
        "data.message=YQ==&data.message=YQ==",
        "data.message=YQ==&data.x=YQ==&data.x=Yg==",
        f"payload={b64(ALERT)}&payload={b64(ALERT)}",
        b64('{"message": "a", "message": "b"}'),
        b64('{"message": "a", "deep": {"x": 1, "x": 1}}'),
    ],
)
def test_a_key_said_twice_is_refused(text):
    assert reason(text) == "is invalid: a key is there twice"


@pytest.mark.parametrize("said", ["[1, 2]", "5", "null", '"x"', "{not json", "NaN", "{'a': 1}"])
def test_a_bare_value_that_is_no_json_object_is_the_text_itself(said):
    assert decode(b64(said)) == Universal({"message": said})


def test_a_byte_order_mark_is_no_part_of_json():
    assert decode(b64('\ufeff{"message": "a"}')) == Universal({"message": "a"})
    found = decode("payload=" + b64("\ufeff" + json.dumps(ALERT)))
    assert compose(found, Channel.APNS).message.payload == ALERT


def nested(levels: int) -> str:
    return f'{{"message": "a", "aps": {{}}, "x": {"[" * levels}1{"]" * levels}}}'


@pytest.mark.parametrize("form", ["", "payload="])
@pytest.mark.parametrize(
    "said",
    [
        '{"message": "a", "x": NaN}',
        '{"message": "a", "x": -Infinity}',
        '{"message": "a", "x": 1e309}',
        '{"message": "a", "x": ' + "9" * 309 + "}",
        '{"message": "a", "x": ' + "9" * 5000 + "}",
        '{"message": "a", "x": 0.' + "1" * 5000 + "}",
        '{"message": "a", "x": "\\u0000"}',
        '{"message": "a", "\\u0000": 1}',
        '{"message": "a\\ud83d"}',
        '{"message": "a", "x": [{"\\ud83d": 1}]}',
        nested(DEEPEST),
        nested(20_000),
        '{"message": "a", "x": ' + "[" * 90_000,
    ],
)
def test_what_cannot_be_stored_or_sent_is_refused_with_a_reason(form, said):
    assert reason(form + b64(said)).startswith("is invalid: ")


def test_nesting_is_fine_up_to_what_is_stored():
    assert "x" in payload(nested(DEEPEST - 1))


def test_null_characters_in_a_value_are_refused():
    assert reason("data.message=YQA=") == "is invalid: null characters are not allowed"
    assert reason("data.message=JTAw") == "is invalid: null characters are not allowed"


@pytest.mark.parametrize("text", ["A" * 10_000_000, "data.message=" + "%" * 10_000_000])
def test_megabytes_are_too_long(text):
    assert reason(text) == "is too long"


# §8.2.5 and forms on channels


def test_apples_json_without_aps_is_read_as_universal_parameters():
    text = f"payload={b64({'message': 'Hi', 'ios_badge': '5', 'expiration': 9, 'id': 1})}"
    composed = compose(decode(text), Channel.APNS)
    assert composed.message.payload == {"aps": {"alert": {"body": "Hi"}, "badge": 5}, "id": 1}
    assert composed.message.headers == {"apns-expiration": 9}
    assert composed.stored == text


def test_apples_json_with_neither_is_for_calls_only():
    text = f"payload={b64({'call': 7})}"
    assert reason(text, Channel.APNS) == "is invalid: aps must be an object"
    composed = compose(decode(text), Channel.APNS_VOIP)
    assert composed.message == RawMessage(
        transport="apns_voip", payload={"call": 7, "aps": {}}, headers={}
    )
    assert composed.stored == text


@pytest.mark.parametrize("aps", ["x", 5, [], False])
@pytest.mark.parametrize("channel", [Channel.APNS, Channel.APNS_VOIP])
def test_aps_must_be_an_object(aps, channel):
    assert reason(f"payload={b64({'aps': aps})}", channel) == "is invalid: aps must be an object"


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        (POKER, Channel.GCM),
        ("data.message=YQ==", Channel.APNS),
        ("data.message=YQ==", Channel.APNS_VOIP),
    ],
)
def test_one_platforms_form_does_not_fit_the_other(text, channel):
    assert reason(text, channel).startswith("is invalid: ")


def test_keys_google_reserves_are_left_out():
    keys = ["from", "message_type", "google.x", "gcm.x", "gcm.notification.x", "gcm"]
    assert data({"message": "a", "user_id": 1, **dict.fromkeys(keys, "x")}) == {
        "message": "a",
        "user_id": "1",
    }
    text = "&".join(f"data.{key}=YQ==" for key in ["message", *keys])
    assert compose(decode(text), Channel.GCM).message.payload == {"data": {"message": "a"}}


# §8.3: the spelling kept


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("New message arrived", "TmV3K21lc3NhZ2UrYXJyaXZlZA=="),
        ("50% off & more", "NTAlMjUrb2ZmKyUyNittb3Jl"),
        ("hello QuickBlox!", "aGVsbG8rUXVpY2tCbG94JTIx"),
        ("a~b", "YSU3RWI="),
    ],
)
def test_a_text_is_kept_as_the_vendor_keeps_it(text, packed):
    assert compose(universal(text), Channel.GCM).stored == f"data.message={packed}"


def test_the_message_is_kept_first():
    stored = compose(universal({"x": "1", "message": "a", "b": 2}), Channel.GCM).stored
    assert [pair.partition("=")[0] for pair in stored.split("&")] == [
        "data.message",
        "data.x",
        "data.b",
    ]


@pytest.mark.parametrize("key", ["", "x ", "x\n", "a=b", "a&b", "a%26b"])
def test_a_key_the_pairs_cannot_hold_is_refused_for_google_alone(key):
    said = universal({"message": "a", key: 1})
    assert compose(said, Channel.APNS).message.payload[key] == 1
    assert reason(b64({"message": "a", key: 1}), Channel.GCM).startswith("is invalid: the key ")


# §9.1: universal parameters


@pytest.mark.parametrize(
    ("said", "aps"),
    [
        ({"ios_badge": 0}, {"badge": 0}),
        ({"ios_badge": "5"}, {"badge": 5}),
        ({"ios_badge": None}, {}),
        ({"ios_sound": "default"}, {"sound": "default"}),
        ({"ios_category": "CALL"}, {"category": "CALL"}),
        ({"ios_thread_id": "t"}, {"thread-id": "t"}),
        ({"ios_content_available": 1}, {"content-available": 1}),
        ({"ios_content_available": "1"}, {"content-available": 1}),
        ({"ios_content_available": True}, {"content-available": 1}),
        ({"ios_content_available": 0}, {}),
        ({"ios_content_available": "0"}, {}),
        ({"ios_content_available": False}, {}),
        ({"ios_mutable_content": 1}, {"mutable-content": 1}),
        ({"ios_mutable_content": "true"}, {"mutable-content": 1}),
        ({"ios_mutable_content": "false"}, {}),
        ({"ios_voip": 1}, {}),
        ({"ios_push_type": "background"}, {}),
        ({"expiration": 5}, {}),
        ({"android_fcm_notification": {"title": "x"}}, {}),
        ({"aps": {"interruption-level": "passive"}}, {"interruption-level": "passive"}),
        ({"aps": {"badge": 1}, "ios_badge": 2}, {"badge": 2}),
        ({"aps": "x"}, {}),
    ],
)
def test_each_parameter_has_its_place_in_aps_and_nowhere_else(said, aps):
    sent = {"message": "Hi", **said, "id": 1}
    assert payload(sent) == {"aps": {"alert": {"body": "Hi"}, **aps}, "id": 1}
    assert data({key: value for key, value in sent.items() if key != "aps"}) == {
        "message": "Hi",
        "id": "1",
    }


def test_an_alert_may_be_said_in_the_apps_own_words():
    words = {
        "title_loc_key": "T",
        "title_loc_args": ["a"],
        "body_loc_key": "B",
        "body_loc_args": ["b", "c"],
        "else": 1,
    }
    alert = payload({"message": "Hi", "ios_loc_data": words})["aps"]["alert"]
    assert alert == {
        "body": "Hi",
        "title-loc-key": "T",
        "title-loc-args": ["a"],
        "loc-key": "B",
        "loc-args": ["b", "c"],
    }
    silent = {"ios_content_available": 1, "ios_loc_data": {"body_loc_key": "B"}}
    assert payload(silent)["aps"] == {"alert": {"loc-key": "B"}, "content-available": 1}


@pytest.mark.parametrize(
    "said",
    [
        {"message": 5},
        {"message": ["a"]},
        {"message": {"body": "a"}},
        {"message": True},
        {"ios_badge": -1},
        {"ios_badge": 1.0},
        {"ios_badge": "many"},
        {"ios_badge": True},
        {"ios_badge": ""},
        {"ios_badge": "٣"},
        {"ios_badge": 2**31},
        {"ios_badge": 10**300},
        {"ios_sound": 1},
        {"ios_sound": {"name": "x"}},
        {"ios_category": []},
        {"ios_thread_id": 5},
        {"ios_content_available": 2},
        {"ios_content_available": "yes"},
        {"ios_content_available": []},
        {"ios_mutable_content": {}},
        {"ios_voip": 1.0},
        {"ios_push_type": "voip"},
        {"ios_push_type": ["alert"]},
        {"ios_loc_data": "x"},
        {"ios_loc_data": {"title_loc_key": 1}},
        {"ios_loc_data": {"title_loc_args": "x"}},
        {"ios_loc_data": {"body_loc_args": [1]}},
        {"expiration": -1},
        {"expiration": "soon"},
        {"expiration": 1.5},
        {"android_fcm_notification": "x"},
        {"android_fcm_notification": []},
    ],
)
def test_a_parameter_of_the_wrong_kind_is_refused_by_its_name(said):
    (key,) = said
    assert reason(b64({"message": "a", **said})).startswith(f"is invalid: {key} ")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"message": ""},
        {"message": None},
        {"ios_content_available": 0},
        {"ios_voip": False, "message": ""},
        {"user_id": 1},
        {"aps": {"alert": "x"}},
    ],
)
def test_a_message_may_not_be_missing(said):
    assert reason(b64(said)) == "can't be blank"


@pytest.mark.parametrize("key", ["ios_content_available", "ios_voip"])
@pytest.mark.parametrize("message", [{}, {"message": None}, {"message": ""}])
def test_a_message_may_be_missing_where_the_app_is_woken(key, message):
    said = universal({**message, key: 1, "call": 7})
    assert "alert" not in compose(said, Channel.APNS).message.payload["aps"]
    composed = compose(said, Channel.GCM)
    assert composed.message.payload == {"data": {"message": "", "call": "7"}}
    assert decode(composed.stored).payload == {"message": "", "call": "7"}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("51", "51"),
        ('"51"', "51"),
        ("1.0", "1.0"),
        ("1e3", "1e3"),
        ("-0", "-0"),
        ("10000000000000000000001", "10000000000000000000001"),
        ("0.10", "0.10"),
        ("true", "true"),
        ("false", "false"),
        ('{ "a": [1.0, null, "\\u00e9\\n"], "b": {} }', '{"a":[1.0,null,"é\\n"],"b":{}}'),
        ("[ ]", "[]"),
        ('""', ""),
    ],
)
def test_google_gets_texts_with_numbers_as_written(written, text):
    assert data(f'{{"message": "a", "x": {written}}}') == {"message": "a", "x": text}


def test_google_gets_no_null():
    assert data({"message": "a", "x": None}) == {"message": "a"}


def test_apple_gets_values_of_their_own_kind():
    said = {"s": "51", "n": 51, "f": 1.5, "t": True, "o": {"a": [None]}, "z": None, "big": 10**22}
    sent = payload({"message": "a", **said})
    sent.pop("aps")
    assert sent == said
    assert json.dumps(sent) == json.dumps(said)


def test_google_shows_what_it_is_told_to_show():
    notification = {"title": "T", "sticky": True, "notification_count": 2}
    composed = compose(
        universal({"message": "a", "android_fcm_notification": notification}), Channel.GCM
    )
    assert composed.message.payload == {
        "data": {"message": "a"},
        "android": {"notification": notification},
    }
    assert composed.stored == "data.message=YQ=="


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (1714662049, 1714662049),
        ("1714662049", 1714662049),
        (0, 0),
        (1714662049000, 253402300799),  # some clients count in milliseconds
        (10**20 - 1, 253402300799),
        (None, None),
    ],
)
def test_expiration_is_a_header_of_apples_and_nobodys_data(said, seconds):
    found = universal({"message": "a", "expiration": said})
    assert found.expiration == seconds
    headers = {} if seconds is None else {"apns-expiration": seconds}
    for channel in (Channel.APNS, Channel.APNS_VOIP):
        assert compose(found, channel).message.headers == headers
    assert compose(found, Channel.GCM).message.payload == {"data": {"message": "a"}}


def test_a_push_type_is_a_header_but_never_on_a_call():
    said = universal({"message": "a", "ios_push_type": "background", "ios_voip": 1})
    assert said.wants_voip
    plain = compose(said, Channel.APNS).message
    assert plain.headers == {"apns-push-type": "background"}
    assert apns.render(push_of(plain)).priority == 5
    voip = compose(said, Channel.APNS_VOIP).message
    assert voip.transport == "apns_voip"
    assert voip.headers == {}
    assert apns.render(push_of(voip)).push_type == "voip"


def test_nothing_but_a_wake_up_is_a_background_push():
    said = universal({"ios_content_available": 1, "id": 5})
    rendered = apns.render(push_of(compose(said, Channel.APNS).message))
    assert (rendered.push_type, rendered.priority) == ("background", 5)


# Sizes are the providers' to judge


@pytest.mark.parametrize(
    ("channel", "limit"),
    [(Channel.APNS, 4096), (Channel.APNS_VOIP, 5120), (Channel.GCM, 4096)],
)
@pytest.mark.parametrize("letter", ["a", "é", "~"])
def test_sizes_are_measured_on_what_is_sent(channel, limit, letter):
    """`message` and its key count for Google, the whole JSON for Apple."""
    around = 7 if channel is Channel.GCM else len(b'{"aps":{"alert":{"body":""}}}')
    room = limit - around
    letters = letter * (room // len(letter.encode()))
    fits = letters + "a" * (room - len(letters.encode()))
    assert refusal_of(compose(universal(fits), channel).message) is None
    over = refusal_of(compose(universal(fits + "a"), channel).message)
    assert isinstance(over, TooLarge)
    assert (over.field, over.size) == ("message", limit + 1)
