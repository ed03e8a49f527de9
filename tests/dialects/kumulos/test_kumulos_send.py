"""`POST /notifications`: what is accepted and what is refused (contracts/kumulos §5.0, §5.1)."""

import json
import uuid
from datetime import timedelta

import pytest
from kumulos_calls import refused, sent

from crm.models import Channel, Segment
from delivery.message import Badge, BadgeChange, read_message
from delivery.models import Notification
from delivery.models.notification import Lane

TOO_LONG = "é" * 33  # 66 bytes in 33 characters


# -- bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"title=a&message=b&broadcast=true",
        b'{"title": "a", }',
        b"{'title': 'a'}",
        b"\xff\xfe",
        b'{"title": "\xc3\x28", "message": "m", "broadcast": true}',
        b'{"title": "\\ud83d", "message": "m", "broadcast": true}',
        b'{"title": "t", "message": "m", "broadcast": true, "data": {"a": NaN}}',
        b'{"title": "t", "message": "m", "broadcast": true, "data": {"a": Infinity}}',
        b'{"title": "t", "message": "m", "broadcast": true, "data": {"a": 1e999}}',
        b"[" * 100_000,
        b'{"data":' * 2000 + b"1" + b"}" * 2000,
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b"true",
        b'[{"title": "t", "message": "m", "broadcast": true}]',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_a_body_that_is_no_json_object_is_refused_with_a_line(backend, body):
    refused(backend.ask("POST", "/notifications", body))


def test_a_body_above_the_limit_is_refused(backend, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    refused(backend.send(broadcast=True, data={"a": "x" * 1000}))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "rubbish",
        "",
    ],
)
def test_the_body_is_json_whatever_the_content_type(backend, content_type):
    body = {"title": "t", "message": "m", "broadcast": True}
    sent(backend.ask("POST", "/notifications", body, content_type=content_type))


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "", "rubbish"])
def test_the_answer_is_json_whatever_is_accepted(client, backend, accept):
    answer = client.post(
        "/notifications?format=api",
        data=b'{"title": "t", "message": "m", "broadcast": true}',
        content_type="application/json",
        headers={"authorization": backend.authorization, "accept": accept},
    )
    sent(answer)
    assert answer.headers["Content-Type"] == "application/json"


def test_unknown_keys_are_ignored(backend):
    sent(backend.send(broadcast=True, target={"broadcast": 5}, unknown="\0", ids=None))


# -- refusals name keys


def test_every_bad_key_is_named_at_once(backend):
    answer = backend.ask(
        "POST",
        "/notifications",
        {
            "title": "",
            "broadcast": "yes",
            "installIds": ["a", 1],
            "userMeta": {"user": 5},
            "ios": {"hasBadge": True},
            "android": {"highPriority": 1},
            "soundConfig": [],
            "collapseId": TOO_LONG,
            "scheduled": True,
            "schedule": {"sendAt": "tomorrow"},
            "ttl": -1,
        },
    )
    body = refused(
        answer,
        "title",
        "message",
        "broadcast",
        "installIds",
        "userMeta",
        "ios.badgeType",
        "ios.badgeCount",
        "android.highPriority",
        "soundConfig",
        "collapseId",
        "schedule.sendAt",
        "schedule.strategy",
        "schedule.pastTimes",
        "ttl",
    )
    assert body["message"] == ["This field is required."]


def test_the_summary_speaks_of_the_first_reason(backend):
    assert refused(
        backend.ask("POST", "/notifications", {"message": "m", "broadcast": True}), "title"
    ) == {
        "error": "title is required",
        "title": ["This field is required."],
    }


WRONG = {
    "title": [None, "", 1, True, [], {}, ["a"], "a\0b"],
    "message": [None, "", 1.5, False, {}, "\0"],
    "broadcast": [None, 1, 0, "true", "", [], {}],
    "isBackground": [None, 1, "false", [True]],
    "scheduled": [None, 1, 0, "true", {}],
    "installIds": [None, "a", {}, {"a": "b"}, [1], [None], [["a"]], ["a\0"], [True], 5],
    "userIds": [None, "a", [1.5], [{}], ["\0"]],
    "channelUuids": [None, "a", [1], ["\0"]],
    "excludeInstallIds": [None, "a", [1]],
    "channelIds": [None, 1, "1", ["1"], [True], [1.0], [None]],
    "segmentId": [None, "1", True, 1.0, [], "x"],
    "segmentUuid": [None, 1, "", [], {}, "\0"],
    "userMeta": [None, [], "a", {"u": 1}, {"u": None}, {"u": []}, {"u": {"k": "\0"}}],
    "reportingMeta": [None, [], "a", 1, {"\0": 1}],
    "data": [[], "a", 1, True, {"a": "\0"}, {"a": [{"b\0": 1}]}],
    "url": [None, 1, [], {}, "\0"],
    "ios": [None, [], 1, "a"],
    "ios.hasBadge": [None, 1, "true"],
    "android": [None, [], 1],
    "android.highPriority": [None, 1, "true", {}],
    "soundConfig": [None, [], 1, "none"],
    "soundConfig.iosSound": [None, 1, True, [], "\0"],
    "collapseId": [None, 1, TOO_LONG, "x" * 65, []],
    "ttl": [None, -1, 2419201, "60", True, 1.5, 10**30],
    "lane": [None, "fast", 1, [], {}, "URGENT"],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG.items() for value in values]
)
def test_a_value_of_the_wrong_kind_is_refused_under_its_key(backend, key, value):
    outer, _, inner = key.partition(".")
    refused(
        backend.ask(
            "POST",
            "/notifications",
            {
                "title": "t",
                "message": "m",
                "userIds": ["u"],
                outer: {inner: value} if inner else value,
            },
        ),
        key,
    )


@pytest.mark.parametrize("value", [None, 1, "settO", "", [], {}, True])
def test_a_badge_needs_a_known_type(backend, value):
    ios = {"hasBadge": True, "badgeType": value, "badgeCount": 1}
    refused(backend.send(broadcast=True, ios=ios), "ios.badgeType")


@pytest.mark.parametrize("value", [None, "1", 1.0, True, [], 2**31, -(2**31), 10**40])
def test_a_badge_needs_a_whole_count(backend, value):
    ios = {"hasBadge": True, "badgeType": "setTo", "badgeCount": value}
    refused(backend.send(broadcast=True, ios=ios), "ios.badgeCount")


def test_data_nested_without_end_is_refused(backend):
    deep: dict = {}
    for _ in range(100):
        deep = {"a": deep}
    for key in ("data", "reportingMeta"):
        refused(backend.send(broadcast=True, **{key: deep}), key)


@pytest.mark.parametrize(
    "targets",
    [
        {},
        {"broadcast": False},
        {"installIds": []},
        {"installIds": [], "userIds": [], "channelIds": [], "channelUuids": []},
        {"broadcast": False, "userIds": []},
        {"excludeInstallIds": ["install-1"]},
        {"userMeta": {"user": {}}},
    ],
)
def test_naming_nobody_is_refused(backend, targets):
    refused(backend.send(**targets), "broadcast")


def test_a_payload_no_provider_takes_is_refused(backend):
    answer = backend.send(broadcast=True, data={"blob": "x" * 5000})
    assert answer.status_code == 422, answer.content
    assert {"message", "data"} & set(answer.json())
    assert not Notification.objects.exists()


# -- what is named must exist


def test_unknown_installs_and_users_are_skipped_in_silence(backend):
    sent(backend.send(installIds=["nobody", ""], userIds=["nobody", "x" * 5000]))


@pytest.fixture
def gold(app) -> Segment:
    return segment(app, "gold")


def segment(app, name) -> Segment:
    rule = {"version": 1, "where": {"field": "tag", "op": "equals", "value": name}}
    return Segment.objects.create(app=app, name=name, rule=rule)


@pytest.mark.parametrize("number", [0, -1, 2**31 - 1, 2**31, 10**12, 2**64 - 1])
def test_an_unknown_segment_id_is_refused(backend, gold, number):
    refused(backend.send(broadcast=True, segmentId=number), "segmentId")


@pytest.mark.parametrize("text", ["a", str(uuid.UUID(int=0)), "x" * 5000, "٣" * 32])
def test_an_unknown_segment_uuid_is_refused(backend, gold, text):
    refused(backend.send(segmentUuid=text), "segmentUuid")


def test_another_apps_segment_is_unknown(backend, other_app):
    theirs = segment(other_app.app, "gold")
    answer = backend.send(segmentId=theirs.pk, segmentUuid=str(theirs.uuid))
    refused(answer, "segmentId", "segmentUuid")


def test_a_segment_is_found_by_its_id_and_by_its_uuid(backend, gold):
    by_id, by_uuid = {"segmentId": gold.pk}, {"segmentUuid": str(gold.uuid)}
    for named in (by_id, by_uuid, by_id | by_uuid):
        answer = backend.send(**named)
        assert sent(answer).audience == {"segment_ids": [gold.pk]}
        assert answer.json()["filters"] == named


def test_two_names_of_two_segments_are_refused(backend, app, gold):
    silver = segment(app, "silver")
    refused(backend.send(segmentId=gold.pk, segmentUuid=str(silver.uuid)), "segmentUuid")


def test_a_segment_goes_with_every_other_target(backend, app, gold):
    channel = Channel.objects.create(app=app, uuid="a")
    notification = sent(
        backend.send(
            segmentId=gold.pk, channelIds=[channel.pk], userIds=["u"], excludeInstallIds=["i"]
        )
    )
    assert notification.audience == {
        "user_uids": ["u"],
        "channel_ids": [channel.pk],
        "segment_ids": [gold.pk],
        "except_install_uids": ["i"],
    }


def test_unknown_channels_are_refused_together_and_known_ones_found(backend, app, other_app):
    ours = Channel.objects.create(app=app, uuid="ours")
    theirs = Channel.objects.create(app=other_app.app, uuid="theirs")
    for ids in ([theirs.pk], [ours.pk, theirs.pk], [0], [-1], [10**12], [2**64 - 1]):
        refused(backend.send(channelIds=ids), "channelIds")
    for uuids in (["theirs"], ["ours", "theirs"], ["OURS"], ["x" * 5000], [""]):
        refused(backend.send(channelUuids=uuids), "channelUuids")
    refused(
        backend.send(channelIds=[theirs.pk], channelUuids=["no"], segmentId=1),
        *("channelIds", "channelUuids", "segmentId"),
    )
    notification = sent(backend.send(channelIds=[ours.pk], channelUuids=["ours"]))
    assert notification.audience == {"channel_ids": [ours.pk]}


def test_shapes_are_judged_before_what_is_named(backend):
    refused(backend.send(channelIds=[1], title=1), "title")


# -- what is stored


def test_the_audience_is_stored_in_our_words_and_filters_in_the_callers(backend, app):
    channel = Channel.objects.create(app=app, uuid="a")
    targets = {
        "excludeInstallIds": ["i9"],
        "channelUuids": ["a"],
        "broadcast": False,
        "userIds": ["u1", "u1"],
        "installIds": ["I1", "i1"],
    }
    answer = backend.send(**targets)
    notification = sent(answer)
    assert notification.audience == {
        "install_uids": ["I1", "i1"],
        "user_uids": ["u1"],
        "channel_ids": [channel.pk],
        "except_install_uids": ["i9"],
    }
    assert notification.filters == targets
    assert list(answer.json()["filters"].items()) == list(targets.items())


def test_broadcast_overrides_the_rest(backend):
    assert sent(backend.send(broadcast=True, userIds=["u"])).audience["everyone"] is True


def test_the_whole_message_is_stored(backend):
    notification = sent(
        backend.send(
            broadcast=True,
            title=" spaced ",
            isBackground=True,
            url="https://example.com",
            data={"k.message": {"type": 9}, "a": [1, None]},
            ios={"hasBadge": True, "badgeType": "incrementBy", "badgeCount": -3},
            android={"highPriority": True},
            collapseId="x" * 64,
            soundConfig={"iosSound": "none"},
        )
    )
    message = read_message(notification.message)
    assert message.title == " spaced "
    assert message.body == "from Kumulos Push"
    assert message.background
    assert message.high_priority
    assert message.url == "https://example.com"
    assert message.data == {"k.message": {"type": 9}, "a": [1, None]}
    assert message.badge == Badge(change=BadgeChange.INCREMENT, count=-3)
    assert message.collapse_id == "x" * 64
    assert message.sound == "none"


def test_a_badge_is_never_set_below_zero(backend):
    ios = {"hasBadge": True, "badgeType": "setTo", "badgeCount": -3}
    assert sent(backend.send(broadcast=True, ios=ios)).message["badge"] == {
        "change": "set",
        "count": 0,
    }


@pytest.mark.parametrize(
    "ios", [{}, {"hasBadge": False}, {"hasBadge": False, "badgeType": None, "badgeCount": "x"}]
)
def test_without_a_badge_its_details_are_not_looked_at(backend, ios):
    assert "badge" not in sent(backend.send(broadcast=True, ios=ios)).message


@pytest.mark.parametrize("data", [None, {}])
def test_data_is_answered_as_it_was_sent(backend, data):
    answer = backend.send(broadcast=True, data=data)
    sent(answer)
    assert answer.json()["data"] == data


def test_empty_optional_texts_are_as_good_as_none(backend):
    asked = {"url": "", "collapseId": "", "soundConfig": {"iosSound": ""}}
    message = sent(backend.send(broadcast=True, **asked)).message
    assert set(message) == {"title", "body"}


def test_meta_data_is_stored_as_given(backend):
    meta = {"campaign": "Summer", "n": 1.5, "list": [{}]}
    notification = sent(
        backend.send(userIds=["u"], reportingMeta=meta, userMeta={"u": {"seq": 1}, "x": {}})
    )
    assert notification.reporting_meta == meta
    assert notification.user_meta == {"u": {"seq": 1}}


def test_meta_data_of_users_who_are_not_named_is_ignored(backend):
    said = {"userMeta": {"u": {"seq": 1}, "x": {"seq": 2}}}
    assert sent(backend.send(userIds=["u"], **said)).user_meta == {"u": {"seq": 1}}
    assert sent(backend.send(broadcast=True, **said)).user_meta == {}


@pytest.mark.parametrize("seconds", [1, 60, 2419200])
def test_a_ttl_is_how_long_a_push_is_tried(backend, seconds):
    notification = sent(backend.send(broadcast=True, ttl=seconds))
    assert notification.time_to_live == timedelta(seconds=seconds)


def test_a_ttl_of_zero_leaves_the_moment_one_try_takes(backend):
    assert sent(backend.send(broadcast=True, ttl=0)).time_to_live == timedelta(seconds=1)


def test_without_a_ttl_the_operators_default_holds(backend, settings):
    notification = sent(backend.send(broadcast=True))
    assert notification.time_to_live == settings.DEFAULT_TIME_TO_LIVE


def test_a_lane_may_be_chosen(backend):
    assert sent(backend.send(broadcast=True)).lane == Lane.BULK
    assert sent(backend.send(broadcast=True, lane="urgent")).lane == Lane.URGENT
    assert sent(backend.send(userIds=["u"], lane="bulk")).lane == Lane.BULK
    assert sent(backend.send(userIds=["u"])).lane == Lane.URGENT


def test_large_numbers_in_data_do_not_break_the_answer(backend):
    body = (
        b'{"title":"t","message":"m","broadcast":true,"data":{"a":123456789012345678901234567890}}'
    )
    answer = backend.ask("POST", "/notifications", body)
    sent(answer)
    assert answer.json()["data"]["a"] == pytest.approx(1.2345678901234568e29)


def test_the_last_of_two_equal_keys_counts(backend):
    body = b'{"title":"a","title":"b","message":"m","broadcast":true}'
    assert sent(backend.ask("POST", "/notifications", body)).message["title"] == "b"


def test_text_of_any_script_comes_back_unchanged(backend):
    title = "Grüße 👋🏽 \u202e\u05e9\u05dc\u05d5\u05dd\u2028"
    answer = backend.send(broadcast=True, title=title)
    sent(answer)
    assert answer.json()["title"] == title


def test_ids_are_whole_positive_numbers_a_phone_can_hold(backend):
    answer = backend.send(broadcast=True)
    assert type(answer.json()["id"]) is int
    assert 0 < answer.json()["id"] < 2**31
    assert json.loads(answer.content)["appId"] == sent(answer).app_id
