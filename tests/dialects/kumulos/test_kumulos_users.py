"""Who an app's people are, page by page and one by one (contracts/kumulos §5.4, §6.28-29)."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from kumulos_calls import refused

from crm.commands.installs import ClearUser, change_install
from crm.models import DeviceToken, Install, User

ZONED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00")
SENT_AT = 1_600_000_000_000
AT_TEXT = "2020-09-13T12:26:40+00:00"
ANDROID = {
    "app": {"bundle": "com.example.app", "version": "1.2.3", "target": 2},
    "sdk": {"id": 7, "version": "2.2.2"},
    "runtime": {"id": 2, "version": "10"},
    "os": {"id": 3, "version": "10"},
    "device": {"name": "mia2", "tz": "Africa/Algiers", "isSimulator": False, "locale": "en-GB"},
}


@pytest.fixture
def page(backend):
    def read(number=1, size=50, caller=backend):
        answer = caller.ask("GET", f"/v2/users?currentPage={number}&numberPerPage={size}")
        assert answer.status_code == 200, answer.content
        body = answer.json()
        assert list(body) == ["users", "totalUsers", "currentPage"]
        assert body["currentPage"] == number
        return body

    return read


def names(body):
    return [user["identifier"] for user in body["users"]]


def test_the_documented_user_with_a_device(backend, device, event, page):
    device.tell(
        event("k.stats.installTracked", ANDROID),
        event("k.push.deviceRegistered", {"type": 2, "token": "t", "package": "com.example.app"}),
        event("k.stats.userAssociated", {"id": "user-1", "attributes": {"attributeKey": "v"}}),
        event("k.fg"),
    )
    Install.objects.update(last_active_at=datetime(2020, 12, 9, 12, tzinfo=UTC), country="GB")
    [user] = page()["users"]
    assert ZONED.fullmatch(user["createdAt"])
    assert ZONED.fullmatch(user["updatedAt"])
    assert list(user.items()) == [
        ("identifier", "user-1"),
        ("attributes", {"attributeKey": "v"}),
        ("firstActive", AT_TEXT),
        ("lastActive", AT_TEXT),
        ("inAppEnabled", False),
        ("createdAt", user["createdAt"]),
        ("updatedAt", user["updatedAt"]),
        ("installs", user["installs"]),
    ]
    [install] = user["installs"]
    assert list(install.items()) == [
        ("id", "install-1"),
        ("subscribedToPushNotifications", True),
        ("os", "Android"),
        ("osVersion", "10"),
        ("sdkType", "Xamarin"),
        ("sdkVersion", "2.2.2"),
        ("lastActive", "2020-12-09T12:00:00+00:00"),
        ("appVersion", "1.2.3"),
        ("countryIsoCode", "GB"),
        ("timezone", "Africa/Algiers"),
        ("locale", "en-GB"),
        ("deviceModel", "mia2"),
        ("deviceName", "mia2"),
    ]
    assert backend.ask("GET", "/v2/users/user-1").json() == user


def test_what_was_never_told_is_null(device, page):
    device.tell()
    [user] = page()["users"]
    assert user["identifier"] == "install-1"
    assert (user["firstActive"], user["lastActive"], user["inAppEnabled"]) == (None, None, False)
    [install] = user["installs"]
    never = {key: value for key, value in install.items() if key not in {"id", "lastActive"}}
    assert never.pop("subscribedToPushNotifications") is False
    assert set(never.values()) == {None}


def test_a_user_only_a_backend_knows_is_listed_without_installs(backend, page):
    backend.ask("PUT", "/v1/users/user-1/attributes", {"a": None})
    [user] = page()["users"]
    assert (user["attributes"], user["installs"]) == ({"a": None}, [])
    assert (user["firstActive"], user["lastActive"]) == (None, None)


def test_consent_to_in_app_messages_is_told(device, event, page):
    for consented in (True, False):
        device.tell(event("k.inApp.statusUpdated", {"consented": consented}))
        assert page()["users"][0]["inAppEnabled"] is consented


# -- who is listed


def test_an_anonymous_user_is_listed_only_while_an_install_is_theirs(phones, page):
    phones.install("install-1")
    assert names(page()) == ["install-1"]
    install = phones.install("install-1", user="user-1")
    body = page()
    assert (names(body), body["totalUsers"]) == (["user-1"], 1)
    change_install(install, ClearUser())
    install.save()
    body = page()
    assert (names(body), body["totalUsers"]) == (["install-1", "user-1"], 2)
    assert [len(user["installs"]) for user in body["users"]] == [1, 0]


def test_installs_are_those_whose_current_user_it_is(phones, page):
    for uid in ("b", "a", "c"):
        phones.install(uid, user="user-1")
    phones.install("c", user="user-2")
    installs = {u["identifier"]: [i["id"] for i in u["installs"]] for u in page()["users"]}
    assert installs == {"user-1": ["b", "a"], "user-2": ["c"]}


def test_subscribed_means_a_living_token_and_leave_to_use_it(phones, page):
    _, off, dead, unsure = (phones.ring(uid) for uid in ("alive", "off", "dead", "unsure"))
    phones.install("none")
    DeviceToken.objects.filter(pk=off.pk).update(enabled=False)
    DeviceToken.objects.filter(pk=dead.pk).update(state=DeviceToken.State.DEAD)
    DeviceToken.objects.filter(pk=unsure.pk).update(state=DeviceToken.State.QUARANTINED)
    told = {
        install["id"]: install["subscribedToPushNotifications"]
        for user in page()["users"]
        for install in user["installs"]
    }
    assert told == {"alive": True, "off": False, "dead": False, "unsure": False, "none": False}


def test_another_apps_people_are_not_listed(phones, page, other_backend, other_device):
    phones.install("ours", user="user-1")
    other_device.tell(install="theirs")
    assert names(page()) == ["user-1"]
    body = page(caller=other_backend)
    assert (names(body), body["totalUsers"]) == (["theirs"], 1)


# -- pages


@pytest.fixture
def crowd(app):
    """Give 25 users, three known since each moment, and not in the order of their keys."""
    start = datetime(2020, 1, 1, tzinfo=UTC)
    User.objects.bulk_create(
        User(app=app, uid=f"u{n:02}", created_at=start - timedelta(days=n // 3)) for n in range(25)
    )
    return list(User.objects.order_by("created_at", "id").values_list("uid", flat=True))


def test_pages_are_the_list_in_a_stable_order_without_gaps_or_doubles(crowd, page):
    pages = [page(number, 10) for number in (1, 2, 3)]
    assert [len(body["users"]) for body in pages] == [10, 10, 5]
    assert [name for body in pages for name in names(body)] == crowd
    assert {body["totalUsers"] for body in pages} == {25}


@pytest.mark.parametrize(("number", "size"), [(4, 10), (2, 1000), (2**31 - 1, 1000)])
def test_a_page_past_the_end_is_empty(crowd, page, number, size):
    body = page(number, size)
    assert (body["users"], body["totalUsers"]) == ([], 25)


def test_an_app_without_people_has_an_empty_page(page):
    assert page() == {"users": [], "totalUsers": 0, "currentPage": 1}


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("", ["currentPage", "numberPerPage"]),
        ("?currentPage=1", ["numberPerPage"]),
        ("?numberPerPage=50", ["currentPage"]),
        ("?currentPage=0&numberPerPage=1001", ["currentPage", "numberPerPage"]),
        ("?currentPage=-1&numberPerPage=0", ["currentPage", "numberPerPage"]),
        ("?currentPage=x&numberPerPage=1.0", ["currentPage", "numberPerPage"]),
        ("?currentPage=&numberPerPage=%00", ["currentPage", "numberPerPage"]),
        ("?currentPage=99999999999999999999&numberPerPage=50", ["currentPage"]),
    ],
)
def test_both_parameters_are_mandatory_whole_numbers(backend, query, keys):
    refused(backend.ask("GET", f"/v2/users{query}"), *keys)


def test_a_larger_page_costs_no_more_queries(phones, page):
    def queries(size):
        with CaptureQueriesContext(connection) as found:
            assert len(page(1, size)["users"]) == size
        return len(found)

    for n in range(30):
        phones.ring(f"install-{n}", user=f"user-{n // 2}" if n % 3 else None)
    queries(1)  # the key is known from then on
    assert queries(1) == queries(20) <= 5


# -- one user


@pytest.mark.parametrize("uid", ["a%2Fb%20%C3%A9%40x", "a/b é@x"])
def test_one_user_is_found_by_any_name(backend, uid):
    backend.ask("PUT", "/v1/users/a%2Fb%20%C3%A9%40x/attributes", {})
    answer = backend.ask("GET", f"/v2/users/{uid}")
    assert answer.status_code == 200, answer.content
    assert answer.json()["identifier"] == "a/b é@x"


@pytest.mark.parametrize("uid", ["nobody", "%00", "x" * 3000, "USER-1", "user-1/"])
def test_an_unknown_user_is_404(backend, other_backend, uid):
    backend.ask("PUT", "/v1/users/user-1/attributes", {})
    other_backend.ask("PUT", "/v1/users/nobody/attributes", {})
    answer = backend.ask("GET", f"/v2/users/{uid}")
    assert answer.status_code == 404, answer.content
    assert list(answer.json()) == ["error"]


# -- whose


@pytest.mark.parametrize("path", ["/v2/users", "/v2/users/user-1"])
def test_only_the_server_key_opens_users(device, path):
    answer = device.ask("GET", path)
    assert answer.status_code == 401, answer.content
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v2/users", "/v2/users/user-1"])
def test_users_are_only_read(backend, method, path):
    assert backend.ask(method, path, {}).status_code == 405
