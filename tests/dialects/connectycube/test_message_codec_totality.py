"""Whatever text arrives, it is a message or a named refusal, and a message is the same twice."""

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from django.db import connection
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from crm.errors import Invalid
from delivery.message import RawMessage
from delivery.providers.apns import payload as apns
from delivery.providers.contract import Push, Transport
from delivery.providers.fcm import payload as fcm
from delivery.providers.fitness import refusal_of
from delivery.providers.refusal import TooLarge
from gateway.connectycube.message_codec import Channel, Composed, Universal, compose, decode
from gateway.connectycube.message_codec.parameters import READERS
from gateway.connectycube.message_codec.values import packed, unescaped, unpacked
from gateway.rest.storable import objection

OFTEN = settings(max_examples=300, deadline=None)

numbers = st.integers() | st.floats() | st.sampled_from([2**31, 2**64, 10**400, 1e300, -0.0])
texts = st.text(max_size=8) | st.sampled_from(["", "\0", "\ud800", "a&b", "a=b", "%26", " x", "~"])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from([*READERS, "aps", "user_id", "from", "google.a"]) | texts
params = st.dictionaries(keys, values, max_size=5)

well_typed = st.fixed_dictionaries(
    {"message": st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)},
    optional={
        "ios_badge": st.integers(0, 2**31 - 1) | st.sampled_from(["5"]),
        "ios_sound": st.text(st.characters(codec="ascii", exclude_characters="\0")),
        "ios_content_available": st.sampled_from([0, 1, "0", "1", True, False]),
        "ios_mutable_content": st.sampled_from([0, 1, "0", "1", True, False]),
        "ios_voip": st.sampled_from([0, 1, "0", "1", True, False]),
        "ios_push_type": st.sampled_from(["alert", "background"]),
        "expiration": st.integers(0, 2**40),
        "ios_loc_data": st.fixed_dictionaries({}, optional={"title_loc_key": st.just("T")}),
        "user_id": st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False),
        "deep": st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
    },
)


def b64(said: object) -> str:
    text = said if isinstance(said, str) else json.dumps(said)
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def pairs(said: dict[str, object]) -> str:
    return "&".join(f"data.{key}={b64(str(value))}" for key, value in said.items())


messages = st.one_of(
    params.map(b64),
    params.map(lambda said: f"payload={b64(said)}"),
    values.map(lambda said: f"payload={b64(said)}"),
    params.map(lambda said: pairs({"message": "a", **said})),
    well_typed.map(b64),
    well_typed.map(lambda said: f"payload={b64({'aps': {}, **said})}"),
    texts.map(b64),
)


@st.composite
def mutated(draw) -> str:
    """Give a message of which a piece was replaced, or escaped, or is missing."""
    text = draw(messages)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 5)))
    piece = draw(
        st.text(max_size=4)
        | st.sampled_from(["%26", "&", "=", "+", " ", "-", "_", "\n", "%2B", "%", "\0", "\ud83d"])
    )
    return text[:start] + piece + text[end:]


def attempt(make, *about):
    """Give what was made, or None where it was refused; any refusal is on `message`."""
    try:
        return make(*about)
    except Invalid as refused:
        fields = list(refused.reasons)
    assert fields == ["message"]
    return None


def outcome(text: object, read=decode) -> dict[Channel, Composed]:
    """Give what a text comes to on each channel that takes it."""
    if (found := attempt(read, text)) is None:
        return {}
    taken = {channel: attempt(compose, found, channel) for channel in Channel}
    return {channel: composed for channel, composed in taken.items() if composed}


def check(text: object, read=decode) -> None:
    """Check that what came of a text can be kept, measured and rendered."""
    for channel, composed in outcome(text, read).items():
        message = composed.message
        assert message.transport == channel.transport
        assert message == RawMessage.from_json(json.loads(json.dumps(message.as_json())))
        assert objection(composed.stored) is None
        assert objection(message.payload) is None
        for kept in (composed.stored, json.dumps(message.as_json(), ensure_ascii=False)):
            kept.encode()
        refusal = refusal_of(message)
        assert refusal is None or isinstance(refusal, TooLarge)
        if channel is Channel.GCM:
            assert all(type(value) is str for value in message.payload["data"].values())
        else:
            assert isinstance(message.payload["aps"], dict)


@OFTEN
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda some: some.decode("latin-1")))
def test_any_text_is_a_message_or_refused(text):
    for form in ("", "payload=", "data.", "data.message="):
        check(form + text)


@OFTEN
@given(values | st.binary(max_size=9) | st.tuples(st.text()))
def test_any_other_value_is_refused(value):
    if isinstance(value, str):
        check(value)
        return
    with pytest.raises(Invalid):
        decode(value)


@OFTEN
@given(st.binary(max_size=60))
def test_any_bytes_in_base64_are_a_message_or_refused(some):
    value = base64.b64encode(some).decode()
    for form in ("", "payload=", "data.message="):
        check(form + value)


@OFTEN
@given(messages)
def test_any_json_is_a_message_or_refused(text):
    check(text)


@OFTEN
@given(mutated())
@example(b64('{"a": "\\u0000}'))  # no JSON, so it is the text: a backslash and five more, no null
def test_a_damaged_message_is_a_message_or_refused(text):
    check(text)


@OFTEN
@given(params)
def test_any_parameters_are_taken_or_refused(said):
    check(said, read=Universal)


@OFTEN
@given(messages)
def test_what_is_kept_reads_as_what_was_sent(text):
    for channel, composed in outcome(text).items():
        again = compose(decode(composed.stored), channel)
        assert again.stored == composed.stored
        assert again.message.transport == composed.message.transport
        if channel is Channel.GCM:
            assert again.message.payload["data"] == composed.message.payload["data"]
        else:
            assert again.message.payload == composed.message.payload


@OFTEN
@given(well_typed)
def test_good_parameters_are_taken_by_every_channel(said):
    taken = outcome(b64(said))
    assert set(taken) == set(Channel)
    stored = taken[Channel.GCM].stored
    assert stored.startswith("data.message=")
    assert not set(stored) & set("+/")


@OFTEN
@given(st.text(st.characters(codec="utf-8")))
def test_a_packed_text_is_unpacked_whatever_it_looks_like(text):
    value = packed(text)
    assert not set(value) & set("+/")
    assert unescaped(unpacked(value)) == text
    assert unescaped(unpacked(value.rstrip("=").replace("=", "%3D"))) == text


def size(message: RawMessage) -> int:
    """Give the bytes a provider counts."""
    push = Push(
        message=message,
        notification_id=1,
        occurrence_id=1,
        transport=Transport(message.transport),
        topic="com.example.app",
    )
    if message.transport == Transport.FCM:
        return fcm.content_size(fcm.render(push, now=datetime.now(UTC)).message)
    return len(apns.render(push).body)


@pytest.mark.django_db
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(params | well_typed)
@example({"message": "\\u0000"})
@example({"message": "a", "x": [1e300, 5e-324, 10**300, -0.0, 2**64, 0.1]})
def test_what_was_measured_is_what_comes_back_from_the_database(db, said):
    taken = outcome(b64(said))
    assume(taken)
    with connection.cursor() as cursor:
        for composed in taken.values():
            sent = Jsonb(composed.message.as_json())
            cursor.execute("SELECT %s::jsonb::text, %s::text", [sent, composed.stored])
            kept, stored = cursor.fetchone()
            message = RawMessage.from_json(json.loads(kept))
            assert message == composed.message
            assert stored == composed.stored
            assert size(message) <= size(composed.message)


@pytest.mark.parametrize(
    "text",
    [
        "A" * 131_072,
        "payload=" + "A" * 131_000,
        "data.message=" + "%41" * 43_000,
        "data.message=" + b64("%41" * 32_000 + "!"),
        "data.message=" + b64("a" * 96_000 + "!"),
        "data.message=YQ==" + "&" * 131_000,
        "data.message=YQ==" + "&data.x=" * 16_000,
        "".join(f"&data.{n}=YQ" for n in range(9_000)).lstrip("&"),
        b64("[" * 98_000),
        b64('{"message": "a", "x": ' + "[" * 97_000),
        b64('{"a":' * 19_000),
        b64('{"message": "a", "x": [' + "1e9," * 24_000 + "1]}"),
        b64('{"message": "a", "x": ' + "9" * 97_000 + "}"),
        b64('{"message": "' + "\\ud83d" * 16_000 + '"}'),
        " " * 131_072,
        "[" * 8_000_000,
    ],
    ids=range(16),
)
def test_hostile_messages_cost_little_time(text):
    started = time.process_time()
    outcome(text)
    assert time.process_time() - started < 1
