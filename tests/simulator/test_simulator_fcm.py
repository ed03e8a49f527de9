"""What Google documents about one message, and every error row on demand."""

import time
from email.utils import parsedate_to_datetime

import httpx
import pytest

from simulator.fcm.errors import ROWS

TOKEN = "d" * 22 + ":APA91b" + "x" * 120
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
APNS_ERROR = "type.googleapis.com/google.firebase.fcm.v1.ApnsError"


def error_of(answer):
    return answer.json()["error"]


def detail(answer, kind):
    found = [d for d in error_of(answer).get("details", []) if d["@type"].endswith(kind)]
    return found[0] if found else None


def code_of(answer):
    found = detail(answer, "FcmError")
    return found["errorCode"] if found else None


def test_a_good_message_gets_a_name(google):
    answer = google.send()
    assert answer.status_code == 200
    assert answer.json()["name"].startswith("projects/push-demo/messages/")


FULL = {
    "data": {"a": "b"},
    "notification": {"title": "t", "body": "b", "image": "https://example.com/a.png"},
    "android": {
        "collapse_key": "c",
        "priority": "HIGH",
        "ttl": "3.5s",
        "direct_boot_ok": True,
        "notification": {
            "notification_priority": "PRIORITY_HIGH",
            "visibility": "PUBLIC",
            "light_settings": {"color": {"red": 1}, "light_on_duration": "1s"},
            "vibrate_timings": ["0.5s"],
            "notification_count": 3,
        },
        "fcm_options": {"analytics_label": "l"},
    },
    "apns": {
        "headers": {"apns-priority": "5"},
        "payload": {"aps": {"mutable-content": 1}, "anyThing": {"goesHere": 1}},
        "fcm_options": {"image": "i"},
        "live_activity_token": "abc",
    },
    "webpush": {"headers": {"TTL": "1"}, "notification": {"actions": []}},
    "fcm_options": {"analytics_label": "l"},
}


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def in_camel(shape):
    """Respell field names; maps of the caller's own stay as they are."""
    free = {"data", "headers", "payload"}
    if not isinstance(shape, dict):
        return shape
    return {camel(k): v if k in free else in_camel(v) for k, v in shape.items()}


@pytest.mark.parametrize("respell", [lambda shape: shape, in_camel])
def test_both_spellings_are_taken(google, respell):
    assert google.send(**respell(FULL)).status_code == 200


def test_validate_only_sends_nothing(simulator, google):
    for spelling in ("validateOnly", "validate_only"):
        answer = google.post({"message": {"token": TOKEN}, spelling: True})
        assert answer.json()["name"].endswith("/fake_message_id")
    assert simulator.summary["accepted"]["fcm"] == 0


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"data": {"a": 1}}, "message.data[a].value"),
        ({"data": {"a": None}}, "message.data[a].value"),
        ({"data": "text"}, "message.data"),
        ({"surprise": 1}, "message"),
        ({"android": {"priority": "urgent"}}, "message.android.priority"),
        ({"android": {"ttl": 3600}}, "message.android.ttl"),
        ({"android": {"ttl": "soon"}}, "message.android.ttl"),
        ({"android": {"notification": {"sticky": "yes"}}}, "message.android.notification.sticky"),
        ({"apns": {"headers": {"apns-priority": 5}}}, "message.apns.headers[apns-priority].value"),
        ({"android": {"collapseKey": "a", "collapse_key": "b"}}, "message.android.collapse_key"),
    ],
)
def test_a_malformed_message_is_a_bad_request_that_names_the_field(google, message, field):
    answer = google.send(**message)
    assert (answer.status_code, error_of(answer)["status"]) == (400, "INVALID_ARGUMENT")
    assert detail(answer, "BadRequest")["fieldViolations"][0]["field"] == field
    assert code_of(answer) is None


@pytest.mark.parametrize(
    "message",
    [
        *({"data": {key: "x"}} for key in ("from", "message_type", "gcm", "google.x", "googlex")),
        {"data": {"gcm.notification.x": "y"}},
        {"android": {"ttl": "2419201s"}},
        {"android": {}, "androidV2": {}},
        {"apns": {"payload": {"x": "y" * 4097}}},
        {"topic": "also"},
        {"fid": "also"},
    ],
)
def test_what_fcm_itself_refuses_is_an_invalid_argument(google, message):
    answer = google.send(**message)
    assert answer.status_code == 400
    assert code_of(answer) == "INVALID_ARGUMENT"
    assert detail(answer, "BadRequest")["fieldViolations"]


def test_sizes_count_keys_and_values(google):
    assert google.send(data={"key": "v" * 4093}).status_code == 200
    assert code_of(google.send(data={"key": "v" * 4094})) == "INVALID_ARGUMENT"
    assert google.send(data={"k": "é" * 2047}).status_code == 200
    assert code_of(google.send(data={"kk": "é" * 2048})) == "INVALID_ARGUMENT"
    topic = {"topic": "news", "data": {"key": "v" * 2045}}
    assert google.post({"message": topic}).status_code == 200
    topic["data"]["key"] += "v"
    assert code_of(google.post({"message": topic})) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("request_", [b"not json", {}, {"message": {}}, [], {"message": []}])
def test_a_request_without_a_message_or_target_is_bad(google, request_):
    assert google.post(request_).status_code == 400


def test_an_fid_is_a_target_too(google):
    assert google.post({"message": {"fid": "c" * 22, "data": {}}}).status_code == 200


def test_the_sample_tokens_behave_as_they_are_called(simulator, google):
    tokens = simulator.facts["tokens"]
    assert google.send(tokens["fcm_ok"]).status_code == 200
    gone, foreign = google.send(tokens["fcm_gone"]), google.send(tokens["fcm_foreign"])
    assert (gone.status_code, code_of(gone)) == (404, "UNREGISTERED")
    assert (foreign.status_code, code_of(foreign)) == (403, "SENDER_ID_MISMATCH")
    malformed = google.send("nonsense!")
    assert (malformed.status_code, code_of(malformed)) == (400, "INVALID_ARGUMENT")


def test_strangers_can_be_shut_out(simulator, google):
    simulator.settings("fcm", known_tokens_only=True)
    assert code_of(google.send(TOKEN)) == "UNREGISTERED"
    assert google.send().status_code == 200


def test_other_addresses_are_not_found_without_an_fcm_error(simulator, google):
    answer = google.client.get(f"{simulator.facts['fcm_url']}/v1/projects/push-demo")
    assert answer.status_code == 404
    assert code_of(answer) is None


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_row_can_be_ordered(simulator, google, name):
    simulator.rule({"reason": name}, token=TOKEN)
    answer, row = google.send(TOKEN), ROWS[name]
    assert answer.status_code == row.status == error_of(answer)["code"]
    assert error_of(answer)["status"] == row.word
    assert error_of(answer).get("details", []) == row.details
    assert google.send().status_code == 200


def test_the_details_that_matter(simulator, google):
    simulator.rule({"reason": "APNS_UNREGISTERED"}, times=1)
    simulator.rule({"reason": "THIRD_PARTY_AUTH_ERROR"}, times=1)
    simulator.rule({"reason": "DEVICE_QUOTA_EXCEEDED"}, times=1)
    simulator.rule({"reason": "NOT_FOUND"}, times=1)
    gone, auth, quota, nowhere = (google.send(TOKEN) for _ in range(4))
    assert (gone.status_code, code_of(gone)) == (400, "INVALID_ARGUMENT")
    assert detail(gone, "ApnsError")["statusCode"] == 410
    assert detail(gone, "ApnsError")["reason"] == "Unregistered"
    assert (auth.status_code, detail(auth, "ApnsError")["statusCode"]) == (401, 403)
    assert detail(quota, "QuotaFailure")["violations"][0]["subject"] == "device"
    assert (nowhere.status_code, code_of(nowhere)) == (404, None)


def test_retry_after_in_both_forms(simulator, google):
    simulator.rule({"reason": "UNAVAILABLE", "retry_after": 3}, times=1)
    later = {"reason": "QUOTA_EXCEEDED", "retry_after": 30, "retry_after_form": "date"}
    simulator.rule(later, times=1)
    assert google.send().headers["retry-after"] == "3"
    moment = parsedate_to_datetime(google.send().headers["retry-after"])
    assert 25 <= moment.timestamp() - time.time() <= 31


def test_part_of_a_run_may_be_unauthenticated(simulator, google):
    simulator.rule({"reason": "UNAUTHENTICATED"}, project="push-demo", every=3)
    statuses = [google.send().status_code for _ in range(6)]
    assert statuses == [200, 200, 401, 200, 200, 401]


@pytest.mark.parametrize("text", ["{}", "[]", "", "null", '{"name": 5}', "<html>"])
def test_a_200_may_have_any_body(simulator, google, text):
    simulator.rule({"status": 200, "text": text})
    answer = google.send()
    assert (answer.status_code, answer.text) == (200, text)
    assert simulator.summary["accepted"]["fcm"] == 1


def test_an_error_may_be_a_string(simulator, google):
    simulator.rule({"status": 500, "text": '{"error": "boom"}'})
    assert google.send().json() == {"error": "boom"}


def test_the_minute_has_a_quota(simulator, google):
    simulator.settings("fcm", quota_per_minute=2)
    assert [google.send().status_code for _ in range(3)] == [200, 200, 429]
    answer = google.send()
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert detail(answer, "QuotaFailure")["violations"][0]["subject"] == "project"
    simulator.settings("fcm", clock_offset_s=61)
    assert google.send().status_code == 200


def test_a_device_may_have_one_too(simulator, google):
    simulator.settings("fcm", device_quota_per_minute=1)
    assert [google.send(TOKEN).status_code for _ in range(2)] == [200, 429]
    assert google.send().status_code == 200


@pytest.fixture(params=[True, False], ids=["http2", "http1"])
def either(request, simulator, google):
    with httpx.Client(http2=request.param, verify=simulator.tls(), trust_env=False) as client:
        google.client = client
        yield google


def test_both_versions_of_http(either, simulator):
    answers = [either.send() for _ in range(3)]
    assert {a.status_code for a in answers} == {200}
    versions = {r["http"] for r in simulator.received(provider="fcm")}
    assert versions == ({"2"} if answers[0].http_version == "HTTP/2" else {"1.1"})
    assert simulator.summary["traffic"]["fcm"]["connections_opened"] == 1


def test_the_connection_may_be_cut_after_accepting(either, simulator):
    simulator.rule({"wire": "disconnect", "accept": True}, provider="fcm")
    with pytest.raises(httpx.TransportError):
        either.send()
    assert simulator.summary["accepted"]["fcm"] == 1


def test_or_in_the_middle_of_the_body(either, simulator):
    simulator.rule({"wire": "disconnect_mid_body"}, provider="fcm")
    with pytest.raises(httpx.TransportError):
        either.send()


def test_answers_may_be_late_or_never_come(either, simulator):
    simulator.rule({"delay_ms": 120}, provider="fcm", times=1)
    simulator.rule({"wire": "stall"}, provider="fcm", times=1)
    began = time.monotonic()
    assert either.send().status_code == 200
    assert time.monotonic() - began >= 0.12
    either.client.timeout = 0.3
    with pytest.raises(httpx.ReadTimeout):
        either.send()


def test_split_bodies_arrive_whole(either, simulator):
    simulator.rule({"reason": "UNREGISTERED", "body": "split"}, provider="fcm")
    assert code_of(either.send()) == "UNREGISTERED"


def test_latency_holds_for_both_versions(either, simulator):
    assert either.send().status_code == 200
    simulator.settings("fcm", latency_ms=100)
    began = time.monotonic()
    assert either.send().status_code == 200
    assert time.monotonic() - began >= 0.1
