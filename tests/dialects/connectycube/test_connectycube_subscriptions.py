"""Subscriptions: a user's devices and their addresses (contracts/connectycube §6)."""

from base64 import b64encode
from urllib.parse import urlencode

import pytest
from connectycube_calls import APNS_TOKEN, FCM_TOKEN, errors

from crm.models import DeviceToken, Install

OTHER_TOKEN = "ab" * 32


def rows(answer, status=201):
    assert answer.status_code == status, answer.content
    return [row["subscription"] for row in answer.json()]


def listed(caller):
    return [row["id"] for row in rows(caller.ask("GET", "/subscriptions"), 200)]


def gcm(caller, token=FCM_TOKEN, **said):
    said = {"notification_channel": "gcm", "platform": "android", **said}
    return caller.subscribe(token, **said)


# -- what is answered


def test_a_subscription_is_answered_with_its_channel_and_device(john):
    [row] = rows(john.subscribe(push={"bundle_identifier": "com.example.app"}))
    token = DeviceToken.objects.get()
    assert row == {
        "id": token.pk,
        "notification_channel": {"name": "apns"},
        "device": {"udid": "phone-1", "platform": {"name": "ios"}},
        "user_id": john.user.pk,
        "bundle_identifier": "com.example.app",
        "client_identification_sequence": APNS_TOKEN,
        "environment": "development",
        "udid": "phone-1",
    }
    assert list(row)[:3] == ["id", "notification_channel", "device"]
    assert (token.environment, token.topic) == ("sandbox", "com.example.app")


@pytest.mark.parametrize("key", ["notification_channel", "notification_channels"])
@pytest.mark.parametrize("said", ["apns", ["apns"], "APNS"])
def test_the_channel_has_two_names_and_several_forms(john, key, said):
    answer = john.subscribe(**{"notification_channel": None, key: said})
    assert [row["notification_channel"]["name"] for row in rows(answer)] == ["apns"]


@pytest.mark.parametrize("said", ["apns,apns_voip", ["apns", "apns_voip"], "apns, apns_voip,apns"])
def test_several_channels_make_a_row_each_in_their_order(john, said):
    answer = rows(john.subscribe(notification_channels=said))
    assert [row["notification_channel"]["name"] for row in answer] == ["apns", "apns_voip"]
    assert listed(john) == sorted(row["id"] for row in answer)


def test_fcm_is_another_word_for_gcm(john):
    [row] = rows(gcm(john, notification_channel="fcm"))
    assert row["notification_channel"]["name"] == "gcm"
    assert DeviceToken.objects.get().transport == "fcm"


def test_an_iphone_may_be_reached_through_fcm(john):
    [row] = rows(gcm(john, platform="ios"))
    assert row["device"]["platform"]["name"] == "ios"


def test_a_web_page_subscribes_with_three_members(john):
    push = {
        "client_identification_sequence": None,
        "web_endpoint": "https://push.example/1",
        "web_auth": "auth",
        "web_p256dh": "key",
    }
    [row] = rows(john.subscribe(notification_channel="web", platform="web", push=push))
    assert row["client_identification_sequence"] == "https://push.example/1"
    assert DeviceToken.objects.get().details == {"keys": {"p256dh": "key", "auth": "auth"}}


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_a_form_subscribes_as_json_does(john, suffix):
    form = {
        "notification_channels": "gcm",
        "push_token[environment]": "production",
        "push_token[client_identification_sequence]": FCM_TOKEN,
        "push_token[bundle_identifier]": "com.example",
        "device[platform]": "android",
        "device[udid]": "a b+c",
    }
    [row] = rows(john.ask("POST", f"/subscriptions{suffix}", urlencode(form)))
    assert row["udid"] == "a b+c"
    assert row["client_identification_sequence"] == FCM_TOKEN


# -- tokens


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (APNS_TOKEN.upper(), APNS_TOKEN),
        ("ab" * 80, "ab" * 80),
        (b64encode(bytes(range(32))).decode(), bytes(range(32)).hex()),
        (b64encode(bytes(range(200, 240))).decode().rstrip("="), bytes(range(200, 240)).hex()),
    ],
)
def test_an_apns_token_comes_in_hex_or_base64(john, said, kept):
    [row] = rows(john.subscribe(said))
    assert row["client_identification_sequence"] == kept


@pytest.mark.parametrize("said", [FCM_TOKEN, "ab" * 31, "zz" * 21, "é" * 64, "x" * 301, "x y" * 30])
def test_what_apple_never_gave_out_is_invalid(john, said):
    for channel in ("apns", "apns_voip"):
        refused = errors(john.subscribe(said, notification_channel=channel), 422)
        assert refused == {"client_identification_sequence": ["is invalid"]}


def test_an_fcm_token_is_text_of_4096_characters_at_most(john):
    assert rows(gcm(john, "x" * 4096))
    for said in ("x" * 4097, "  ", "a\nb"):
        assert "client_identification_sequence" in errors(gcm(john, said), 422)


def test_every_bad_member_is_named_by_its_bare_name(john):
    refused = errors(john.ask("POST", "/subscriptions", {}), 422)
    assert refused == {
        "notification_channel": ["can't be blank"],
        "environment": ["can't be blank"],
        "platform": ["can't be blank"],
        "udid": ["can't be blank"],
    }
    body = {
        "notification_channel": "email",
        "push_token": {"environment": "staging", "client_identification_sequence": [1]},
        "device": {"platform": "windows", "udid": {"a": 1}},
    }
    assert errors(john.ask("POST", "/subscriptions", body), 422) == {
        "notification_channel": ["is not included in the list"],
        "environment": ["is not included in the list"],
        "platform": ["is not included in the list"],
        "udid": ["is invalid"],
    }
    web = errors(john.subscribe(notification_channel="web", platform="web"), 422)
    assert set(web) == {"web_endpoint", "web_auth", "web_p256dh"}
    assert errors(john.ask("POST", "/subscriptions", {"push_token": 1, "device": []}), 422)
    assert not DeviceToken.objects.exists()


# -- one device, one row; one address, one owner


def test_a_repeated_call_renews_the_address_under_the_same_id(john):
    [first] = rows(john.subscribe())
    [again] = rows(john.subscribe(OTHER_TOKEN))
    assert again["id"] == first["id"]
    assert again["client_identification_sequence"] == OTHER_TOKEN
    assert listed(john) == [first["id"]]


@pytest.mark.parametrize(
    "other",
    [
        {"udid": "phone-2", "token": OTHER_TOKEN},
        {"environment": "production"},
        {"notification_channel": "apns_voip"},
        {"push": {"bundle_identifier": "com.other"}, "token": OTHER_TOKEN},
    ],
)
def test_another_device_environment_channel_or_app_is_another_row(john, other):
    [first] = rows(john.subscribe())
    [second] = rows(john.subscribe(other.pop("token", ""), **other))
    assert listed(john) == [first["id"], second["id"]]


def test_an_address_is_the_last_users_who_registered_it(john, jane):
    john.subscribe()
    [hers] = rows(jane.subscribe())
    assert listed(john) == []
    assert listed(jane) == [hers["id"]]


def test_a_udid_many_devices_share_takes_nothing_from_anybody(john, jane):
    [his], [hers] = rows(john.subscribe()), rows(jane.subscribe(OTHER_TOKEN))
    assert (listed(john), listed(jane)) == ([his["id"]], [hers["id"]])


def test_a_row_keeps_its_id_though_its_new_address_was_somebody_elses(john, jane):
    [his] = rows(john.subscribe())
    [hers] = rows(jane.subscribe(OTHER_TOKEN))
    [again] = rows(jane.subscribe(APNS_TOKEN))
    assert again["id"] == hers["id"] != his["id"]
    assert (listed(john), listed(jane)) == ([], [hers["id"]])


# -- leaving


def test_a_subscription_is_ended_by_its_id(john):
    [row] = rows(john.subscribe())
    answer = john.ask("DELETE", f"/subscriptions/{row['id']}.json")
    assert (answer.status_code, answer.content) == (200, b"")
    assert listed(john) == []
    assert errors(john.ask("DELETE", f"/subscriptions/{row['id']}"), 404)
    [again] = rows(john.subscribe())
    assert listed(john) == [again["id"]]


def test_somebody_elses_subscription_is_not_found(john, jane, other_cube, client):
    [row] = rows(john.subscribe())
    for caller in (jane,):
        refused = errors(caller.ask("DELETE", f"/subscriptions/{row['id']}"), 404)
        assert refused == ["The resource wasn't found"]
    assert listed(john) == [row["id"]]
    for unknown in ("0", "99999999999", "x", "-1"):
        assert john.ask("DELETE", f"/subscriptions/{unknown}").status_code == 404


def test_what_a_provider_called_gone_is_listed_no_more(john):
    john.subscribe()
    DeviceToken.objects.update(state="dead")
    assert listed(john) == []


def test_subscriptions_are_a_users(cube):
    application = cube.of(None)
    need = {"base": ["Forbidden. Need user."]}
    for method, path in (
        ("GET", "/subscriptions"),
        ("POST", "/subscriptions"),
        ("DELETE", "/subscriptions/1"),
        ("GET", "/events"),
        ("POST", "/events"),
        ("PUT", "/events/1"),
    ):
        assert errors(application.ask(method, path), 403) == need
        assert errors(cube.ask(method, path), 401) == ["Token is required"]


def test_the_phone_of_an_app_with_the_other_sdk_is_the_users_too(john, phones):
    token = phones.ring("install-1", user=john.user.uid)
    [row] = rows(john.ask("GET", "/subscriptions"), 200)
    assert (row["id"], row["udid"]) == (token.pk, "install-1")
    assert Install.objects.count() == 1
