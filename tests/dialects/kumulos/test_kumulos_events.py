"""`POST /v1/app-installs/{id}/events`: batches, and never refusing one (contracts/kumulos §2.1)."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.utils import timezone

from crm.models import Event, Install, User
from gateway.kumulos.devices.requests import MOST_EVENTS

SENT_AT = 1_600_000_000_000
UUID = "122d2a48-1f90-4ae7-afb6-c482e323572e"
GOOD = {"type": "buy", "uuid": UUID, "timestamp": SENT_AT}


def accepted(answer):
    assert answer.status_code == 202, answer.content
    assert answer.content == b""


# -- first sight


def test_an_unknown_install_is_created_with_its_anonymous_user(device, event, app):
    accepted(device.tell(event("buy"), install="Install-A"))
    install = Install.objects.get()
    assert (install.app, install.uid) == (app, "Install-A")
    assert (install.user.uid, install.user.anonymous) == ("Install-A", True)


def test_an_empty_post_is_enough_to_be_known(device):
    accepted(device.tell())
    assert Install.objects.get().uid == "install-1"
    assert not Event.objects.exists()


def test_the_same_id_in_two_apps_is_two_installs(device, other_device, event):
    accepted(device.tell(event("buy")))
    accepted(other_device.tell(event("buy")))
    assert Install.objects.count() == 2
    assert Event.objects.count() == 2


@pytest.mark.parametrize(
    "uid",
    [
        "abcdefgh",
        "6E3B2F5C-7A55-4C0A-B6C6-6A2F4F7A9C10",
        "user/42 é@x",
        "a/events",
        "/",
        "//",
        "..",
        "%2F",
        "a?b#c",
        "a\nb",
        "a\r\nX-Header: b",
        "\u2028",
        "👋🏽",
        " ",
        "'; DROP TABLE crm_install; --",
        "x" * 255,
        "é" * 255,
        "events",
    ],
)
def test_an_install_id_is_opaque_text(device, event, uid):
    accepted(device.tell(event("buy"), install=quote(uid, safe="")))
    assert Install.objects.get().uid == uid
    assert Event.objects.get().install_uid == uid


def test_install_ids_differ_by_case(device, event):
    accepted(device.tell(event("buy"), install="ABC"))
    accepted(device.tell(event("buy"), install="abc"))
    assert set(Install.objects.values_list("uid", flat=True)) == {"ABC", "abc"}


@pytest.mark.parametrize("uid", ["x" * 256, "é" * 256, "%00", "a%00b", "x" * 5000])
def test_an_install_id_nobody_can_keep_is_refused_without_a_row(device, event, uid):
    answer = device.tell(event("buy"), install=uid)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "installId"}
    assert not Install.objects.exists()
    assert not User.objects.exists()
    assert not Event.objects.exists()


# -- bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b"null",
        b"1",
        b'"x"',
        b"\xff",
        b"[NaN]",
        b"[Infinity]",
        b"[1,]",
        b"[" * 99999,
        b'{"type":"buy"}',
        b"[\xc3\x28]",
        b"type=buy",
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
def test_only_a_body_that_is_no_json_array_is_refused(device, body):
    answer = device.ask("POST", "/v1/app-installs/install-1/events", body)
    assert answer.status_code == 422, answer.content
    assert list(answer.json()) == ["error"]
    assert not Install.objects.exists()


def test_a_body_above_the_limit_is_refused(device, event, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert device.tell(event("buy", {"x": "y" * 1000})).status_code == 422


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/plain", ""])
def test_events_are_json_whatever_the_content_type(device, content_type):
    path = "/v1/app-installs/install-1/events"
    accepted(device.ask("POST", path, [GOOD], content_type=content_type))
    assert Event.objects.count() == 1


def test_more_than_a_hundred_events_are_all_taken(device, event):
    accepted(device.tell(*[event("buy", {"n": n}) for n in range(250)]))
    stored = Event.objects.order_by("id").values_list("data__n", flat=True)
    assert list(stored) == list(range(250))


# -- one bad event


BAD = [
    None,
    1,
    True,
    "x",
    [],
    {},
    {**GOOD, "uuid": None},
    {**GOOD, "uuid": "x"},
    {**GOOD, "uuid": 5},
    {**GOOD, "uuid": [UUID]},
    {**GOOD, "type": None},
    {**GOOD, "type": ""},
    {**GOOD, "type": 5},
    {**GOOD, "type": ["buy"]},
    {**GOOD, "timestamp": None},
    {**GOOD, "timestamp": True},
    {**GOOD, "timestamp": "1600000000000"},
    {**GOOD, "timestamp": 1.5},
    {"type": "buy", "uuid": UUID},
    {"type": "buy", "timestamp": SENT_AT},
    {"uuid": UUID, "timestamp": SENT_AT},
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: json.dumps(bad)[:60])
def test_a_bad_event_is_skipped_and_the_rest_is_kept(device, event, bad):
    accepted(device.tell(event("first"), bad, event("last")))
    stored = Event.objects.order_by("id").values_list("type", flat=True)
    assert list(stored) == ["first", "last"]


def test_an_event_nested_without_end_is_skipped(device, event):
    deep: dict = {}
    for _ in range(300):
        deep = {"a": deep}
    accepted(device.tell(event("first"), event("deep", deep), event("last")))
    assert set(Event.objects.values_list("type", flat=True)) == {"first", "last"}


def test_null_characters_are_left_out(device, event):
    told = event("bu\0y", {"a\0": ["x\0y", {"b": "\0"}]}, userId="us\0er")
    accepted(device.tell(told))
    stored = Event.objects.get()
    assert (stored.type, stored.user_uid) == ("buy", "user")
    assert stored.data == {"a": ["xy", {"b": ""}]}


def test_half_a_character_does_not_cost_the_batch(device):
    cut = '[{"type":"buy","uuid":"%s","timestamp":%d,"data":{"name":"\\ud83d","n":%s}}]'
    body = (cut % (UUID, SENT_AT, "1" * 30)).encode()
    accepted(device.ask("POST", "/v1/app-installs/install-1/events", body))
    stored = Event.objects.get().data
    assert stored["name"] == "?"
    assert stored["n"] == pytest.approx(1.1e29, rel=0.02)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5000])
def test_a_number_beyond_all_numbers_does_not_cost_the_batch(device, number):
    body = f'[{{"type":"buy","uuid":"{UUID}","timestamp":{SENT_AT},"data":{{"n":{number}}}}}]'
    accepted(device.ask("POST", "/v1/app-installs/install-1/events", body.encode()))
    assert Event.objects.get().data == {"n": None}


@pytest.mark.parametrize("data", [5, "x", [1], True, None])
def test_data_that_is_no_object_is_not_kept_but_its_event_is(device, event, data):
    accepted(device.tell(event("buy", data)))
    assert Event.objects.get().data is None


@pytest.mark.parametrize("user", [None, "", 5, True, [], {}, "x" * 3000])
def test_a_user_that_is_no_name_is_not_kept_but_its_event_is(device, event, user):
    accepted(device.tell(event("buy", userId=user)))
    assert Event.objects.get().user_uid is None


def test_a_type_too_long_to_keep_is_cut(device, event):
    accepted(device.tell(event("é" * 300)))
    assert Event.objects.get().type == "é" * 255


# -- what is stored


def test_an_event_is_stored_as_it_was_told(device, app):
    data = {"sku": "a", "price": 1.5, "tags": [1, None, {"x": True}]}
    accepted(device.tell({**GOOD, "data": data, "userId": "member-1", "extra": 1}))
    stored = Event.objects.get()
    assert stored.app == app
    assert stored.uuid == uuid.UUID(UUID)
    assert (stored.type, stored.user_uid, stored.data) == ("buy", "member-1", data)
    assert stored.happened_at == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert abs(stored.received_at - timezone.now()) < timedelta(minutes=1)


@pytest.mark.parametrize("timestamp", [-(6 * 10**13), 0, -1, 4_000_000_000_000, 10**14])
def test_a_devices_clock_is_believed_as_far_as_calendars_go(device, timestamp):
    accepted(device.tell({**GOOD, "timestamp": timestamp}))
    happened = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=timestamp)
    assert Event.objects.filter(happened_at=happened).count() == 1


@pytest.mark.parametrize("timestamp", [2**63, -(2**63), 10**17, -(10**15), 2**64 - 1])
def test_a_clock_beyond_all_calendars_is_taken_for_now(device, timestamp):
    accepted(device.tell({**GOOD, "timestamp": timestamp}))
    assert abs(Event.objects.get().happened_at - timezone.now()) < timedelta(minutes=1)


# -- twice


def test_an_event_posted_again_changes_nothing(device, event):
    told = event("k.stats.userAssociated", {"id": "member-1", "attributes": {"n": 1}})
    accepted(device.tell(told))
    accepted(device.tell(event("k.stats.userAssociated", {"id": "member-2"})))
    accepted(device.tell(told, told))
    assert Event.objects.count() == 2
    assert Install.objects.get().user.uid == "member-2"


def test_a_uuid_is_the_same_in_any_case(device):
    accepted(device.tell(GOOD, {**GOOD, "uuid": UUID.upper()}))
    assert Event.objects.count() == 1


def test_events_take_effect_in_the_order_they_were_sent(device, event):
    accepted(
        device.tell(
            event("k.stats.userAssociated", {"id": "first"}, timestamp=SENT_AT + 9000),
            event("k.stats.userAssociated", {"id": "second"}, timestamp=SENT_AT),
        )
    )
    assert Install.objects.get().user.uid == "second"


def test_a_user_id_too_long_to_be_kept_changes_nothing_and_blocks_nobody(device, event):
    long = "x" * (User.UID_LIMIT + 1)
    accepted(device.tell(event("k.stats.userAssociated", {"id": long}), event("buy")))
    assert Install.objects.get().user.uid == "install-1"
    assert Event.objects.count() == 2


def test_the_longest_user_id_of_the_widest_characters_is_kept(device, event):
    accepted(device.tell(event("k.stats.userAssociated", {"id": "👋" * User.UID_LIMIT})))
    assert Install.objects.get().user.uid == "👋" * User.UID_LIMIT


def test_of_a_post_far_too_long_the_beginning_counts(device, event):
    accepted(device.tell(*[event("buy") for _ in range(MOST_EVENTS + 5)]))
    assert Event.objects.count() == MOST_EVENTS
