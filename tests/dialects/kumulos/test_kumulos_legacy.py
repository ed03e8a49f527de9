"""Device routes of before March 2018: each is one event of today (contracts/kumulos §2.5)."""

from datetime import timedelta

import pytest
from django.utils import timezone
from kumulos_calls import refused

from crm.models import DeviceToken, Event, Install, User
from delivery.audience import Audience
from delivery.models import Open

HERE = "/v1/app-installs/Install-A"
TOKEN = {"token": "AB" * 32, "type": 1, "iosTokenType": 2}


def done(answer):
    assert (answer.status_code, answer.content) == (204, b""), answer.content
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_token_is_registered_and_dropped(device):
    done(device.ask("PUT", f"{HERE}/push-token", TOKEN))
    token = DeviceToken.objects.get()
    assert (token.install.uid, token.value) == ("Install-A", "ab" * 32)
    assert (token.transport, token.environment) == ("apns", "sandbox")
    done(device.ask("DELETE", f"{HERE}/push-token"))
    token.refresh_from_db()
    assert token.state == DeviceToken.State.DEAD


def test_an_open_is_recorded_for_the_current_user(device, phones, sends):
    phones.install("Install-A", user="member")
    notification = sends.to(Audience(everyone=True)).notification
    done(device.ask("POST", f"{HERE}/opens", {"id": str(notification.pk)}))
    done(device.ask("POST", f"{HERE}/opens", {"id": notification.pk}))
    opened = Open.objects.get()
    assert (opened.install.uid, opened.user_uid) == ("Install-A", "member")


def test_an_open_of_no_notification_is_stored_and_counts_for_nothing(device):
    done(device.ask("POST", f"{HERE}/opens", {"id": 12345}))
    assert not Open.objects.exists()


def test_details_of_an_install_are_kept(device):
    done(device.ask("PUT", HERE, {"os": {"id": 3, "version": "8.0"}, "device": {"name": "Pixel"}}))
    install = Install.objects.get()
    assert (install.os, install.os_version, install.device_model) == ("Android", "8.0", "Pixel")


def test_a_user_signs_in(device):
    done(device.ask("PUT", f"{HERE}/user-id", {"id": "member"}))
    assert Install.objects.get().user == User.objects.get(uid="member", anonymous=False)


def test_a_location_is_kept(device):
    done(device.ask("PUT", f"{HERE}/location", {"lat": 56.46, "lng": -2.97}))
    install = Install.objects.get()
    assert (install.latitude, install.longitude) == (56.46, -2.97)


def test_each_request_is_an_event_of_its_own(device):
    for _ in range(2):
        done(device.ask("PUT", f"{HERE}/user-id", {"id": "member"}))
    events = Event.objects.all()
    assert [event.type for event in events] == ["k.stats.userAssociated"] * 2
    assert all(event.install_uid == "Install-A" for event in events)
    assert all(abs(event.happened_at - timezone.now()) < timedelta(minutes=1) for event in events)


@pytest.mark.parametrize(
    ("method", "rest", "body", "keys"),
    [
        ("PUT", "/push-token", {}, ["token", "type"]),
        ("PUT", "/push-token", {"token": "a b", "type": 1}, ["token", "type"]),
        ("PUT", "/push-token", {"token": "ab", "type": 9}, ["token", "type"]),
        ("POST", "/opens", {"id": 0}, ["id"]),
        ("POST", "/opens", {"id": 2**40}, ["id"]),
        ("PUT", "/user-id", {"id": None}, ["id"]),
        ("PUT", "/user-id", {"id": "u" * 513}, ["id"]),
        ("PUT", "/location", {"lat": 91, "lng": 0}, ["lat", "lng"]),
        ("PUT", "/location", {"lat": "1", "lng": True}, ["lat", "lng"]),
        ("PUT", "", {}, []),
        ("PUT", "", b"[]", []),
        ("PUT", "/user-id", b"{", []),
        ("PUT", "/user-id", b"", []),
    ],
)
def test_what_sdks_never_sent_is_refused_and_leaves_nothing_behind(
    device, method, rest, body, keys
):
    answer = device.ask(method, f"{HERE}{rest}", body)
    refused(answer, *keys)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert not Event.objects.exists()
    assert not Install.objects.exists()


def test_a_body_nested_without_end_is_refused(device):
    body = b'{"id":"u","attributes":' + b'{"a":' * 200 + b"1" + b"}" * 201
    refused(device.ask("PUT", f"{HERE}/user-id", body), "id")


@pytest.mark.parametrize("rest", ["", "/push-token", "/user-id", "/location"])
def test_only_the_device_key_opens_them(backend, client, rest):
    for answer in (backend.ask("PUT", f"{HERE}{rest}", {}), client.put(f"{HERE}{rest}")):
        assert answer.status_code == 401
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert client.options(f"{HERE}{rest}").status_code == 204


def test_an_install_id_nobody_can_keep_is_refused(device):
    for rest in ("", "/push-token", "/user-id"):
        refused(device.ask("PUT", f"/v1/app-installs/{'x' * 256}{rest}", {"id": "u"}), "installId")


def test_a_route_nobody_knows_is_not_taken_for_an_install(device):
    assert device.ask("PUT", f"{HERE}/nothing", {"os": {}}).status_code == 404
    assert device.ask("PUT", f"{HERE}/", {"os": {}}).status_code == 404
