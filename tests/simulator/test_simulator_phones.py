"""Simulated phones: they register, receive as their SDK would, and report back."""

import json
import re
import time

import pytest

from simulator.launch import ControlError
from tests.simulator.recording_gateway import RecordingGateway, serve

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
def gateway():
    gateway = RecordingGateway()
    server = serve(gateway)
    yield gateway
    server.shutdown()
    server.server_close()


@pytest.fixture
def order(simulator, gateway):
    keys = {"gateway": gateway.url, "api_key": "key", "secret_key": "secret"}

    def order(platform="ios", **options):
        return simulator.control.post("/phones", keys | {"platform": platform} | options)["phones"]

    return order


def apns_payload(number=7, **aps):
    alert = {"title": "Hello", "body": "World"}
    return {
        "aps": {"alert": alert, "mutable-content": 1} | aps,
        "custom": {"a": {"k.message": {"type": 1, "data": {"id": number}}}},
    }


def fcm_data(number=7, **data):
    custom = {"a": {"k.message": {"type": 1, "data": {"id": number}}}, "u": None}
    return {"title": "Hello", "alert": "World", "custom": json.dumps(custom)} | data


@pytest.fixture
def shown(simulator):
    def shown(phone):
        return simulator.control.get(f"/phones/{phone['id']}")

    return shown


def test_an_iphone_registers_as_its_sdk_does(gateway, order):
    (phone,) = order(name="Ada", user="ada", attributes={"age": 36}, wait_s=5)
    (post,) = gateway.posts
    assert post.path == f"/v1/app-installs/{phone['install_id']}/events"
    assert post.keys == "key:secret"
    assert re.fullmatch(UUID.upper(), phone["install_id"])
    tracked, registered, associated = post.events
    assert tracked["type"] == "k.stats.installTracked"
    assert tracked["data"]["os"]["id"] == 1
    assert registered["data"] == {
        "type": 1,
        "token": phone["token"],
        "iosTokenType": 1,
        "bundleId": "com.example.demo",
    }
    assert re.fullmatch(r"[0-9a-f]{64}", phone["token"])
    assert associated["type"] == "k.stats.userAssociated"
    assert associated["data"] == {"id": "ada", "attributes": {"age": 36}}
    assert {e["userId"] for e in post.events} == {"ada"}
    assert all(abs(e["timestamp"] - time.time() * 1000) < 10_000 for e in post.events)
    assert len({e["uuid"] for e in post.events}) == 3


def test_an_android_registers_too_and_stays_anonymous_without_a_user(gateway, order):
    (phone,) = order("android", timezone="Asia/Tokyo", wait_s=5)
    tracked, registered = gateway.events
    assert re.fullmatch(UUID, phone["install_id"])
    assert tracked["data"]["device"]["tz"] == "Asia/Tokyo"
    assert tracked["userId"] == phone["install_id"]
    assert registered["data"]["type"] == 2
    assert 140 <= len(phone["token"]) <= 170


def test_a_sandbox_build_says_so(gateway, order):
    order(environment="sandbox", wait_s=5)
    assert gateway.of("k.push.deviceRegistered")[0]["data"]["iosTokenType"] == 2


def test_phones_come_in_numbers(simulator, gateway, order):
    phones = order("android", name="Fleet", count=50, user="u", wait_s=10)
    assert len({p["token"] for p in phones}) == len({p["install_id"] for p in phones}) == 50
    assert [p["user"] for p in phones[:2]] == ["u-1", "u-2"]
    assert len(gateway.of("k.push.deviceRegistered")) == 50
    listed = simulator.control.get("/phones?from=10&limit=5")
    assert [p["name"] for p in listed["phones"]] == [f"Fleet {n}" for n in range(11, 16)]
    assert listed["counts"]["phones"] == listed["counts"]["registered"] == 50


def test_a_push_lands_on_an_iphone_and_is_reported(gateway, order, apple, shown):
    (phone,) = order(wait_s=5)
    payload = apns_payload()
    payload["custom"]["u"] = "https://example.com/x"
    payload["custom"]["a"]["k.buttons"] = [{"id": "y", "text": "Yes"}]
    payload["attachments"] = {"pictureUrl": "https://example.com/p.png"}
    assert apple.push(phone["token"], payload).status_code == 200
    (delivered,) = gateway.wait("k.message.delivered")
    assert delivered["data"] == {"type": 1, "id": 7}
    assert delivered["userId"] == phone["install_id"]
    (push,) = shown(phone)["pushes"]
    assert (push["title"], push["body"], push["state"]) == ("Hello", "World", "shown")
    assert (push["url"], push["buttons"]) == ("https://example.com/x", ["Yes"])
    assert push["image"] == "https://example.com/p.png"


def test_a_push_lands_on_an_android_and_is_reported(gateway, order, google, shown):
    (phone,) = order("android", wait_s=5)
    data = fcm_data(bgn="1", bicon="https://example.com/p.png")
    assert google.send(phone["token"], data=data).status_code == 200
    assert gateway.wait("k.message.delivered")[0]["data"] == {"type": 1, "id": 7}
    (push,) = shown(phone)["pushes"]
    assert (push["title"], push["body"], push["background"]) == ("Hello", "World", True)


def test_tapping_and_dismissing_are_reported_once(simulator, gateway, order, apple, shown):
    (phone,) = order(user="ada", wait_s=5)
    apple.push(phone["token"], apns_payload(1))
    apple.push(phone["token"], apns_payload(2))
    second, first = shown(phone)["pushes"]
    base = f"/phones/{phone['id']}/pushes"
    assert simulator.control.post(f"{base}/{first['n']}/tap")["changed"] is True
    assert simulator.control.post(f"{base}/{first['n']}/tap")["changed"] is False
    assert simulator.control.post(f"{base}/{first['n']}/dismiss")["changed"] is False
    assert simulator.control.post(f"{base}/{second['n']}/dismiss")["push"]["state"] == "dismissed"
    (opened,) = gateway.wait("k.message.opened")
    (dismissed,) = gateway.wait("k.message.dismissed")
    assert (opened["data"]["id"], opened["userId"]) == (1, "ada")
    assert dismissed["data"] == {"type": 1, "id": 2}
    counts = simulator.control.get("/phones")["counts"]
    assert (counts["landed"], counts["opened"], counts["dismissed"]) == (2, 1, 1)


def test_crowds_tap(simulator, gateway, order, apple):
    phones = order(count=10, wait_s=5)
    for phone in phones:
        apple.push(phone["token"], apns_payload(5))
    tap = simulator.control.post
    assert tap("/phones/tap", {"notification_id": 6}) == {"touched": 0}
    assert tap("/phones/tap", {"notification_id": 5, "fraction": 0.3}) == {"touched": 3}
    assert tap("/phones/tap", {"notification_id": 5, "count": 2}) == {"touched": 2}
    assert tap("/phones/dismiss", {}) == {"touched": 5}
    assert len(gateway.wait("k.message.opened", 5)) == 5
    assert len(gateway.wait("k.message.dismissed", 5)) == 5


def test_the_same_notification_replaces_itself(order, google, apple, shown):
    (android,), (iphone,) = order("android", wait_s=5), order(wait_s=5)
    google.send(android["token"], data=fcm_data(3, title="Old"))
    google.send(android["token"], data=fcm_data(3, title="New"))
    (push,) = shown(android)["pushes"]
    assert (push["title"], push["times"]) == ("New", 2)
    apple.push(iphone["token"], apns_payload(4), apns_collapse_id="c")
    apple.push(iphone["token"], apns_payload(5), apns_collapse_id="c")
    (push,) = shown(iphone)["pushes"]
    assert (push["notification_id"], push["times"]) == (5, 1)


def badge_after(phone, shown, apple, *pushes):
    badges = []
    for badge, increment in pushes:
        payload = apns_payload(1, **({} if badge is None else {"badge": badge}))
        if increment is not None:
            payload["custom"]["badge_inc"] = increment
        apple.push(phone["token"], payload)
        badges.append(shown(phone)["badge"])
    return badges


@pytest.mark.parametrize(
    ("pushes", "badges"),
    [
        ([(2, 2), (2, 2), (3, 3)], [2, 4, 7]),  # nothing stored: aps.badge as it is
        ([(5, None), (0, -2), (0, -9)], [5, 3, 0]),  # floored at nought
        ([(4, None), (None, 3)], [4, 4]),  # no aps.badge, no arithmetic
        ([(4, None), (1, None)], [4, 1]),
    ],
)
def test_badges_are_counted_as_the_extension_counts(order, apple, shown, pushes, badges):
    (phone,) = order(wait_s=5)
    assert badge_after(phone, shown, apple, *pushes) == badges


def test_without_the_extension_there_is_no_arithmetic_and_no_receipt(gateway, order, apple, shown):
    (phone,) = order(wait_s=5)
    for badge in (2, 3):
        payload = apns_payload(1, badge=badge)
        del payload["aps"]["mutable-content"]
        payload["custom"]["badge_inc"] = badge
        apple.push(phone["token"], payload)
    assert shown(phone)["badge"] == 3
    assert shown(phone)["pending_events"] == 0
    assert gateway.of("k.message.delivered") == []


def test_the_app_callback_reports_and_counts_too(gateway, order, apple, shown):
    (phone,) = order(wait_s=5)
    payload = apns_payload(1, badge=1)
    payload["aps"] |= {"content-available": 1}
    payload["aps"].pop("mutable-content")
    payload["custom"]["badge_inc"] = 1
    for _ in range(2):
        apple.push(phone["token"], payload)
    assert len(gateway.wait("k.message.delivered", 2)) == 2
    assert shown(phone)["badge"] == 2
    assert shown(phone)["pushes"][0]["background"] is True


def test_a_silent_push_wakes_the_app_without_a_word(gateway, order, apple, shown):
    (phone,) = order(wait_s=5)
    payload = apns_payload(9)
    payload["aps"] = {"content-available": 1}
    apple.push(phone["token"], payload, apns_push_type="background", apns_priority="5")
    assert gateway.wait("k.message.delivered")[0]["data"]["id"] == 9
    assert [p["state"] for p in shown(phone)["pushes"]] == ["silent"]


def broken(path, value):
    payload = apns_payload()
    place = payload
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return payload


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (broken(("custom", "a", "k.message", "data", "id"), "7"), "not an integer"),
        (broken(("custom", "a", "k.message", "data"), None), "not an object"),
        (broken(("custom", "a"), []), "not an object"),
        (broken(("custom",), "text"), "not an object"),
        (broken(("custom", "u"), None), "null instead of absent"),
        (broken(("custom", "badge_inc"), None), "null instead of absent"),
        (broken(("attachments",), None), "null instead of absent"),
        (broken(("custom", "a", "k.message", "data", "id"), 0), "ignored"),
        (broken(("custom", "a", "k.message", "type"), 2), "ignored"),
    ],
)
def test_what_crashes_the_ios_sdk_is_shown_but_not_reported(
    order, apple, shown, payload, complaint
):
    (phone,) = order(wait_s=5)
    apple.push(phone["token"], payload)
    state = shown(phone)
    assert complaint in state["complaints"][0]
    assert state["pushes"][0]["title"] == "Hello"
    assert state["pending_events"] == 0


def test_an_iphone_shows_what_others_send_and_tells_nobody(gateway, order, apple, shown):
    (phone,) = order(wait_s=5)
    apple.push(phone["token"], {"aps": {"alert": "plain"}})
    assert shown(phone)["pushes"][0]["body"] == "plain"
    assert shown(phone)["complaints"] == []
    assert shown(phone)["pending_events"] == 0


@pytest.mark.parametrize(
    "data",
    [
        {"title": "t", "alert": "a"},
        fcm_data(custom="not json"),
        fcm_data(custom="{}"),
        fcm_data(custom='{"a": {"k.message": {"data": {"id": "7"}}}}'),
    ],
)
def test_an_android_silently_ignores_what_is_not_for_the_sdk(order, google, shown, data):
    (phone,) = order("android", wait_s=5)
    google.send(phone["token"], data=data)
    state = shown(phone)
    assert (state["landed"], state["pushes"], state["pending_events"]) == (1, [], 0)
    assert state["complaints"][0].startswith("ignored")


def test_an_android_shows_nothing_without_a_title_and_a_text(gateway, order, google, shown):
    (phone,) = order("android", wait_s=5)
    google.send(phone["token"], data=fcm_data(8, title=""))
    google.send(phone["token"], data=fcm_data(8, alert="", bgn="true"))
    assert len(gateway.wait("k.message.delivered", 2)) == 2
    assert shown(phone)["pushes"] == []


def test_an_android_cuts_ids_to_32_bits(gateway, order, google):
    (phone,) = order("android", wait_s=5)
    google.send(phone["token"], data=fcm_data(2**31 + 5))
    assert gateway.wait("k.message.delivered")[0]["data"]["id"] == -(2**31) + 5


def test_a_notification_block_is_shown_by_the_system_and_never_reported(order, google, shown):
    (phone,) = order("android", wait_s=5)
    google.send(phone["token"], data=fcm_data(), notification={"title": "T", "body": "B"})
    state = shown(phone)
    assert (state["pushes"][0]["title"], state["pending_events"]) == ("T", 0)
    assert "never sees it" in state["complaints"][0]


def test_a_refused_push_never_lands(simulator, order, apple, shown):
    (phone,) = order(wait_s=5)
    simulator.rule({"reason": "Unregistered"}, token=phone["token"])
    apple.push(phone["token"], apns_payload())
    assert shown(phone)["landed"] == 0


def test_a_gateway_that_is_unwell_gets_the_same_events_again(simulator, gateway, order, shown):
    gateway.status = 503
    (phone,) = order()
    deadline = time.monotonic() + 5
    while len(gateway.posts) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert shown(phone)["registered"] is False
    assert shown(phone)["last_error"].startswith("503")
    gateway.status = 202
    assert gateway.wait("k.push.deviceRegistered")
    uuids = [[e["uuid"] for e in post.events] for post in gateway.posts]
    assert all(each == uuids[0] for each in uuids)


def test_a_gateway_that_is_away_is_waited_for(simulator, gateway, order, apple, shown):
    server = serve(RecordingGateway())
    port = server.server_port
    server.shutdown()
    server.server_close()
    (phone,) = order(gateway=f"http://127.0.0.1:{port}")
    for number in range(1, 131):
        apple.push(phone["token"], apns_payload(number))
    assert shown(phone)["pending_events"] == 132
    back = RecordingGateway()
    server = serve(back, port)
    try:
        assert len(back.wait("k.message.delivered", 130)) == 130
        assert [len(post.events) for post in back.posts] == [100, 32]
        numbers = [e["data"]["id"] for e in back.of("k.message.delivered")]
        assert numbers == list(range(1, 131))
    finally:
        server.shutdown()
        server.server_close()


def test_phones_can_be_thrown_away(simulator, gateway, order, apple):
    (phone,) = order(wait_s=5)
    simulator.control.delete("/phones")
    assert simulator.control.get("/phones")["counts"]["phones"] == 0
    assert apple.push(phone["token"], apns_payload()).status_code == 200
    with pytest.raises(ControlError, match="404"):
        simulator.control.get(f"/phones/{phone['id']}")


@pytest.mark.parametrize(
    "options",
    [
        {"platform": "windows"},
        {"count": 0},
        {"count": "many"},
        {"gateway": "ftp://example.com"},
        {"timezone": "Mars/Olympus"},
        {"environment": "staging"},
        {"install_id": "one", "count": 2},
        {"api_key": ""},
        {"colour": "red"},
        {"wait_s": 1000},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(order, options):
    with pytest.raises(ControlError, match="400"):
        order(**options)


def test_an_install_id_may_be_chosen(gateway, order):
    (phone,) = order(install_id="abc/d e", wait_s=5)
    assert phone["install_id"] == "abc/d e"
    assert gateway.posts[0].path == "/v1/app-installs/abc%2Fd%20e/events"
