"""Whatever JSON arrives, the answer is a documented one and a refusal leaves nothing behind."""

import json
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.models import Event
from delivery.models import Notification, Occurrence
from gateway.kumulos.devices.effects import PARSERS
from gateway.kumulos.notifications.fields import NotificationFields

FAST = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

numbers = st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([2**31, 2**63, 2**64])
texts = st.text(max_size=8) | st.sampled_from(["", "\0", "\ud800", "utc", "setTo", "k.message"])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
send_keys = st.sampled_from([*NotificationFields().get_fields(), "unknown"])
nested = st.dictionaries(
    st.sampled_from(["hasBadge", "badgeType", "badgeCount", "highPriority", "iosSound"])
    | st.sampled_from(["sendAt", "strategy", "pastTimes"]),
    values | st.sampled_from([True, "utc", "nextDay", "2099-01-01 10:00"]),
)
kinds = st.sampled_from([*PARSERS, "buy"])
event_data = values | st.dictionaries(
    st.sampled_from(["id", "type", "token", "bundleId", "iosTokenType", "attributes", "lat"])
    | st.sampled_from(["lng", "os", "sdk", "app", "device", "consented", "package", "endpoint"]),
    values | st.sampled_from([1, 2, 3, {"id": 3, "version": 5}, {"endpoint": "e"}, "0a"]),
)


@FAST
@given(changes=st.dictionaries(send_keys, values | nested, max_size=4))
def test_any_value_under_any_key_of_a_send_is_taken_or_refused(backend, changes):
    before = Notification.objects.count(), Occurrence.objects.count()
    answer = backend.send(**{"broadcast": True, **changes})
    assert answer.status_code in {201, 422}
    if answer.status_code == 422:
        assert isinstance(answer.json()["error"], str)
        assert (Notification.objects.count(), Occurrence.objects.count()) == before
    else:
        assert next(iter(answer.json())) == "appId"
        assert (Notification.objects.count(), Occurrence.objects.count()) == (
            before[0] + 1,
            before[1] + 1,
        )


@FAST
@given(body=st.binary(max_size=40) | values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_a_send_are_refused(backend, body):
    assert backend.ask("POST", "/notifications", body).status_code == 422
    assert not Notification.objects.exists()


@FAST
@given(kind=kinds, data=event_data, user=values, timestamp=st.integers(-(2**64), 2**64))
def test_any_data_of_any_event_is_taken_and_the_event_kept(device, kind, data, user, timestamp):
    told = {
        "type": kind,
        "uuid": str(uuid.uuid4()),
        "timestamp": timestamp,
        "data": data,
        "userId": user,
    }
    before = Event.objects.count()
    try:
        body = json.dumps([told], allow_nan=False).encode()
    except ValueError:
        return  # NaN is no JSON; that is another test
    answer = device.ask("POST", "/v1/app-installs/install-1/events", body)
    assert answer.status_code == 202, answer.content
    kept = Event.objects.count() - before
    assert kept == (1 if -(2**63) <= timestamp < 2**64 else 0)


@FAST
@given(elements=st.lists(values, max_size=4))
def test_any_elements_among_events_cost_nobody_their_own(device, elements):
    good = {"type": "buy", "uuid": str(uuid.uuid4()), "timestamp": 1}
    try:
        body = json.dumps([*elements, good], allow_nan=False).encode()
    except ValueError:
        return
    answer = device.ask("POST", "/v1/app-installs/install-1/events", body)
    assert answer.status_code == 202, answer.content
    assert Event.objects.filter(uuid=good["uuid"]).exists()


@FAST
@given(raw=st.binary(max_size=40).filter(lambda raw: raw.strip(b"/")))
def test_any_bytes_as_an_install_id_are_taken_or_refused(device, raw):
    encoded = "".join(f"%{byte:02X}" for byte in raw)
    answer = device.ask("POST", f"/v1/app-installs/{encoded}/events", [])
    assert answer.status_code in {202, 422}, answer.content


@pytest.mark.parametrize("key", ["title", "installIds", "data", "schedule"])
def test_a_megabyte_under_one_key_is_answered_quickly(backend, key):
    huge = ["x" * 10] * 100_000
    answer = backend.send(**{"broadcast": True, "scheduled": True, key: huge})
    assert answer.status_code == 422
