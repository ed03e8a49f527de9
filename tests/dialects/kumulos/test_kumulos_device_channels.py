"""Channels as SDKs list, join, leave and make them (contracts/kumulos §2.2, §6.13)."""

from urllib.parse import quote

import pytest
from kumulos_calls import refused

from crm.models import Channel, ChannelSubscription, Install, User

BY = {"install": "/v1/app-installs/{}/channels", "user": "/v1/users/{}/channels"}
BOTH = pytest.mark.parametrize("by", BY)


@pytest.fixture
def channels(app) -> dict[str, Channel]:
    """Two channels with a name and two without."""
    named = {"a": "Offers", "b": "News", "c": None, "d": None}
    return {
        uuid: Channel.objects.create(app=app, uuid=uuid, name=name, meta={"k": 1} if name else None)
        for uuid, name in named.items()
    }


def where(by: str, uid: str = "me") -> str:
    return BY[by].format(quote(uid, safe=""))


def listed(device, by: str, uid: str = "me") -> dict[str, bool]:
    answer = device.ask("GET", where(by, uid))
    assert answer.status_code == 200, answer.content
    return {said["uuid"]: said["subscribed"] for said in answer.json()}


def change(device, method: str, by: str, *uuids: str, uid: str = "me"):
    answer = device.ask(method, f"{where(by, uid)}/subscriptions", {"uuids": list(uuids)})
    assert (answer.status_code, answer.content) == (204, b""), answer.content


def rows() -> set[tuple[str, str | None, str | None]]:
    found = ChannelSubscription.objects.values_list("channel__uuid", "install__uid", "user__uid")
    return set(found)


# -- listing


@BOTH
def test_a_stranger_is_shown_the_named_channels_and_made_known(device, channels, by):
    answer = device.ask("GET", where(by))
    assert answer.status_code == 200
    assert answer.json() == [
        {"uuid": "a", "name": "Offers", "subscribed": False, "meta": {"k": 1}},
        {"uuid": "b", "name": "News", "subscribed": False, "meta": {"k": 1}},
    ]
    assert User.objects.get().uid == "me"
    assert Install.objects.count() == (1 if by == "install" else 0)


@BOTH
def test_nameless_channels_are_shown_to_those_in_them(device, channels, by):
    change(device, "POST", by, "c")
    assert listed(device, by) == {"a": False, "b": False, "c": True}
    assert listed(device, by, "another") == {"a": False, "b": False}


@BOTH
def test_an_app_without_channels_has_an_empty_list(device, by):
    assert listed(device, by) == {}


def test_an_install_is_shown_its_current_users_channels_too(device, channels, phones):
    phones.install("me", user="member")
    change(device, "POST", "install", "a")
    change(device, "POST", "user", "b", "c", uid="member")
    assert listed(device, "install") == {"a": True, "b": True, "c": True}
    assert listed(device, "user", "member") == {"a": False, "b": True, "c": True}


def test_channels_of_a_former_user_are_no_longer_shown(device, channels, phones):
    phones.install("me", user="member")
    change(device, "POST", "user", "b", uid="member")
    phones.install("me", user="another")
    assert listed(device, "install") == {"a": False, "b": False}


@BOTH
def test_other_apps_channels_are_neither_shown_nor_joined(device, other_device, channels, by):
    assert listed(other_device, by) == {}
    answer = other_device.ask("POST", f"{where(by)}/subscriptions", {"uuids": ["a"]})
    assert answer.status_code == 404
    assert rows() == set()


# -- joining, leaving, replacing


@BOTH
def test_joining_twice_is_as_good_as_once(device, channels, by):
    change(device, "POST", by, "a", "c", "a")
    change(device, "POST", by, "a")
    mine = (None, "me") if by == "user" else ("me", None)
    assert rows() == {("a", *mine), ("c", *mine)}


@BOTH
def test_leaving_takes_out_only_what_is_named(device, channels, by):
    change(device, "POST", by, "a", "b")
    change(device, "DELETE", by, "a", "d")
    assert listed(device, by) == {"a": False, "b": True}


@BOTH
def test_replacing_leaves_exactly_what_is_named(device, channels, by):
    change(device, "POST", by, "a", "b", "c")
    change(device, "PUT", by, "b", "d")
    assert listed(device, by) == {"a": False, "b": True, "d": True}


@BOTH
@pytest.mark.parametrize("body", [{"uuids": []}, {}, {"other": 1}])
def test_clearing_is_replacing_by_nothing_said_in_any_way(device, channels, by, body):
    change(device, "POST", by, "a", "c")
    answer = device.ask("PUT", f"{where(by)}/subscriptions", body)
    assert answer.status_code == 204
    assert rows() == set()


@BOTH
def test_others_are_left_where_they_are(device, channels, by):
    change(device, "POST", by, "a", "b", uid="another")
    change(device, "POST", by, "a")
    change(device, "DELETE", by, "a")
    change(device, "PUT", by)
    assert listed(device, by, "another") == {"a": True, "b": True}


def test_whoever_opts_an_install_out_hears_no_more_as_its_user(device, channels, phones):
    phones.install("me", user="member")
    change(device, "POST", "user", "a", "b", uid="member")
    change(device, "DELETE", "install", "a")
    assert listed(device, "install") == {"a": False, "b": True}
    assert listed(device, "user", "member") == {"a": False, "b": True}


def test_replacing_by_install_opts_its_user_out_of_the_rest(device, channels, phones):
    phones.install("me", user="member")
    change(device, "POST", "user", "a", "b", uid="member")
    change(device, "PUT", "install", "b")
    assert rows() == {("b", "me", None), ("b", None, "member")}
    change(device, "PUT", "install")
    assert rows() == set()


def test_opting_a_user_out_leaves_their_installs_own_choice(device, channels, phones):
    phones.install("me", user="member")
    change(device, "POST", "install", "a")
    change(device, "PUT", "user", uid="member")
    assert rows() == {("a", "me", None)}


@BOTH
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_an_unknown_channel_spoils_the_call_and_is_named(device, channels, by, method):
    change(device, "POST", by, "b")
    before = rows()
    body = {"uuids": ["a", "nothing", "never"]}
    answer = device.ask(method, f"{where(by)}/subscriptions", body)
    assert answer.status_code == 404
    assert answer.json() == {
        "error": "uuids: No such channel: nothing.",
        "uuids": ["No such channel: nothing."],
    }
    assert rows() == before


@BOTH
def test_a_refusal_makes_nobody_known(device, channels, by):
    answer = device.ask("POST", f"{where(by)}/subscriptions", {"uuids": ["nothing"]})
    assert answer.status_code == 404
    assert not User.objects.exists()


@BOTH
@pytest.mark.parametrize("uuids", [None, "a", {}, 1, [1], [None], ["\0"], [["a"]]])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_uuids_are_a_list_of_texts(device, channels, by, method, uuids):
    refused(device.ask(method, f"{where(by)}/subscriptions", {"uuids": uuids}), "uuids")


@BOTH
@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("body", [{}, {"uuids": []}])
def test_joining_and_leaving_need_a_channel(device, channels, by, method, body):
    refused(device.ask(method, f"{where(by)}/subscriptions", body), "uuids")


@BOTH
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_body_that_is_no_object_is_refused(device, by, method):
    for body in (b"", b"{", b'["a"]'):
        refused(device.ask(method, f"{where(by)}/subscriptions", body))


# -- whom a path names


@BOTH
@pytest.mark.parametrize(
    "uid", ["user/42 é@x", "a/channels", "a/channels/subscriptions", "/", "..", "%2F", "a?b#c", "A"]
)
def test_an_id_may_be_any_text_encoded(device, channels, by, uid):
    change(device, "POST", by, "a", uid=uid)
    assert listed(device, by, uid) == {"a": True, "b": False}
    assert list(User.objects.values_list("uid", flat=True)) == [uid]


@BOTH
def test_an_id_may_come_unencoded(device, channels, by):
    """Xamarin does not encode at all."""
    path = BY[by].format("org/7/user")
    assert device.ask("POST", f"{path}/subscriptions", {"uuids": ["a"]}).status_code == 204
    assert listed(device, by, "org/7/user") == {"a": True, "b": False}


@pytest.mark.parametrize(
    ("by", "key", "limit"), [("install", "installId", 255), ("user", "userId", 512)]
)
def test_an_id_nobody_can_keep_is_refused_without_a_row(device, channels, by, key, limit):
    for uid in ("x" * (limit + 1), "a\0b"):
        refused(device.ask("GET", where(by, uid)), key)
        for method in ("POST", "PUT", "DELETE"):
            body = {"uuids": ["a"]}
            refused(device.ask(method, f"{where(by, uid)}/subscriptions", body), key)
    assert not User.objects.exists()
    assert listed(device, by, "é" * limit) == {"a": False, "b": False}


def test_an_anonymous_user_is_known_by_the_installs_id(device, channels, event):
    change(device, "POST", "user", "a", uid="install-1")
    assert device.tell(event("k.stats.installTracked", {"os": {"id": 3}})).status_code == 202
    assert listed(device, "install", "install-1") == {"a": True, "b": False}


# -- making


@pytest.mark.parametrize(
    ("who", "mine"),
    [
        ({}, set()),
        ({"userIdentifier": None, "installId": None}, set()),
        ({"userIdentifier": "member"}, {("x", None, "member")}),
        ({"installId": "me"}, {("x", "me", None)}),
        (
            {"installId": "me", "userIdentifier": "member"},
            {("x", "me", None), ("x", None, "member")},
        ),
    ],
)
def test_a_device_makes_a_channel_and_may_be_in_it_at_once(device, who, mine):
    body = {"uuid": "x", "name": "X", "showInPortal": True, "meta": {"k": 1}, **who}
    answer = device.ask("POST", "/v1/channels", body)
    assert answer.status_code == 201
    assert answer.json() == {
        "uuid": "x",
        "name": "X",
        "subscribed": bool(mine),
        "meta": {"k": 1},
    }
    assert rows() == mine
    assert Channel.objects.get().show_in_portal is True


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ({}, ["uuid"]),
        ({"showInPortal": True}, ["uuid", "name"]),
        ({"uuid": "x", "showInPortal": True, "name": ""}, ["name"]),
        ({"uuid": "x", "userIdentifier": 1, "installId": 2}, ["userIdentifier", "installId"]),
        ({"uuid": "x", "userIdentifier": "", "installId": ""}, ["userIdentifier", "installId"]),
        ({"uuid": "x", "userIdentifier": "u" * 513}, ["userIdentifier"]),
        ({"uuid": "x", "installId": "u" * 256}, ["installId"]),
        ({"uuid": "x", "installId": "a\0"}, ["installId"]),
    ],
)
def test_what_cannot_be_a_channel_is_refused_with_every_bad_key(device, body, keys):
    refused(device.ask("POST", "/v1/channels", body), *keys)
    assert not Channel.objects.exists()


def test_a_uuid_taken_is_refused_in_the_known_words_and_nobody_is_made_known(device, channels):
    body = {"uuid": "a", "userIdentifier": "member"}
    said = refused(device.ask("POST", "/v1/channels", body), "uuid")
    assert said["error"] == "uuid must be unique"
    assert not User.objects.exists()


# -- browsers and keys


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/users/u/channels", 200),
        ("PUT", "/v1/users/u/channels/subscriptions", 204),
        ("POST", "/v1/app-installs/i/channels/subscriptions", 404),
        ("DELETE", "/v1/app-installs/i/channels/subscriptions", 404),
        ("POST", "/v1/channels", 422),
        ("GET", "/v1/channels", 405),
        ("GET", "/v1/users/u/channels/", 404),
    ],
)
def test_pages_of_any_origin_may_ask(device, backend, method, path, status):
    body = {"uuids": ["unknown"]} if status == 404 else {}
    answer = device.ask(method, path, body)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    if not path.endswith("/"):
        refusal = backend.ask(method, path, body)
        assert refusal.status_code == 401
        assert refusal.headers["Access-Control-Allow-Origin"] == "*"
        preflight = device.client.options(path)
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, DELETE"


def test_an_install_heard_of_as_a_user_first_is_nobody_once_somebody_signs_in(
    backend, device, event
):
    device.ask("GET", "/v1/users/install-1/channels")
    device.tell(event("k.stats.userAssociated", {"id": "mark"}), install="install-1")

    listed = backend.ask("GET", "/v2/users?currentPage=1&numberPerPage=9").json()["users"]

    assert [user["identifier"] for user in listed] == ["mark"]
