"""`/channels` as backends manage it (seed 000; contracts/kumulos §5.3, §6.7-14)."""

from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kumulos_calls import refused

from crm.models import App, Channel, ChannelSubscription, Install, User

CHANNEL = {
    "uuid": "channel-uuid",
    "name": "friendly name",
    "showInPortal": True,
    "meta": {"additional": "data"},
}


FAST = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=4) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@pytest.fixture
def channel(app) -> Channel:
    return Channel.objects.create(app=app, uuid="news", name="News", meta={"k": [1, None]})


def subscribed(channel: Channel) -> tuple[set[str], set[str]]:
    rows = ChannelSubscription.objects.filter(channel=channel)
    installs = rows.filter(install__isnull=False).values_list("install__uid", flat=True)
    users = rows.filter(user__isnull=False).values_list("user__uid", flat=True)
    return set(installs), set(users)


def unknown(answer, *, named: str = "", key: str = ""):
    assert answer.status_code == 404, answer.content
    body = answer.json()
    assert named in body["error"]
    assert set(body) == ({"error", key} if key else {"error"})


def done(answer):
    assert (answer.status_code, answer.content) == (204, b""), answer.content


# -- the channel itself


def test_a_uuid_is_enough_to_make_a_channel(backend, app):
    answer = backend.ask("POST", "/channels", {"uuid": "a"})
    assert answer.status_code == 201
    said = answer.json()
    assert (said["appId"], said["uuid"], said["name"]) == (app.pk, "a", None)
    assert (said["showInPortal"], said["meta"]) == (False, None)
    assert said["createdAt"] == said["updatedAt"]


def test_nulls_and_empty_names_are_as_good_as_none(backend):
    body = {"uuid": "a", "name": "", "meta": None, "showInPortal": False}
    assert backend.ask("POST", "/channels", body).json()["name"] is None
    assert backend.ask("POST", "/channels", {**body, "uuid": "b", "name": None}).status_code == 201


def test_a_uuid_is_unique_in_its_app_and_the_refusal_says_so_in_the_known_words(
    backend, other_backend
):
    assert backend.ask("POST", "/channels", CHANNEL).status_code == 201
    again = refused(backend.ask("POST", "/channels", CHANNEL), "uuid")
    assert again["error"] == "uuid must be unique"
    assert other_backend.ask("POST", "/channels", CHANNEL).status_code == 201
    assert Channel.objects.count() == 2


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ({"uuid": None}, ["uuid"]),
        ({"uuid": ""}, ["uuid"]),
        ({"uuid": 5}, ["uuid"]),
        ({"uuid": "x" * 256}, ["uuid"]),
        ({"uuid": "a\0"}, ["uuid"]),
        ({"name": ["n"]}, ["name"]),
        ({"name": []}, ["name"]),
        ({"name": "x" * 256}, ["name"]),
        ({"showInPortal": "true"}, ["showInPortal"]),
        ({"showInPortal": None}, ["showInPortal"]),
        ({"meta": []}, ["meta"]),
        ({"meta": "m"}, ["meta"]),
        ({"meta": {"a": "\0"}}, ["meta"]),
        ({"name": None}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"uuid": 1, "name": 2, "showInPortal": 3, "meta": 4}, [*CHANNEL]),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_cannot_be_a_channel_is_refused_with_every_bad_key(
    backend, channel, method, change, keys
):
    path = "/channels" if method == "POST" else f"/channels/{channel.pk}"
    refused(backend.ask(method, path, {**CHANNEL, **change}), *keys)
    assert list(Channel.objects.values_list("uuid", "name")) == [("news", "News")]


def test_a_new_channel_needs_a_uuid_and_a_name_to_be_shown_with(backend):
    refused(backend.ask("POST", "/channels", {"showInPortal": True}), "uuid", "name")


def test_a_change_keeps_what_it_does_not_say(backend, channel):
    Channel.objects.update(updated_at="2020-01-01T00:00:00Z", created_at="2020-01-01T00:00:00Z")
    answer = backend.ask("PUT", f"/channels/{channel.pk}", {"showInPortal": True})
    assert answer.status_code == 200
    said = answer.json()
    assert (said["uuid"], said["name"], said["showInPortal"]) == ("news", "News", True)
    assert said["meta"] == {"k": [1, None]}
    assert said["createdAt"] == "2020-01-01 00:00:00"
    assert said["updatedAt"] > said["createdAt"]


def test_a_change_may_rename_and_clear(backend, channel):
    said = backend.ask(
        "PUT", "/channels/news", {"uuid": "newer", "name": None, "meta": None}
    ).json()
    assert (said["uuid"], said["name"], said["meta"]) == ("newer", None, None)
    unknown(backend.ask("GET", "/channels/news"))


def test_what_is_read_can_be_written_back(backend, channel):
    said = backend.ask("GET", f"/channels/{channel.pk}").json()
    again = backend.ask("PUT", f"/channels/{channel.pk}", said).json()
    assert {**again, "updatedAt": ""} == {**said, "updatedAt": ""}


def test_a_uuid_taken_by_another_channel_is_refused_on_change(backend, channel):
    other = Channel.objects.create(app=channel.app, uuid="other")
    again = refused(backend.ask("PUT", f"/channels/{other.pk}", {"uuid": "news"}), "uuid")
    assert again["error"] == "uuid must be unique"


def test_a_shown_channel_keeps_a_name(backend, channel):
    Channel.objects.update(show_in_portal=True)
    refused(backend.ask("PUT", "/channels/news", {"name": None}), "name")


def test_an_id_is_tried_before_a_uuid(backend, channel):
    numbered = Channel.objects.create(app=channel.app, uuid=str(channel.pk))
    lost = Channel.objects.create(app=channel.app, uuid="99999999999")
    assert backend.ask("GET", f"/channels/{channel.pk}").json()["id"] == channel.pk
    assert backend.ask("GET", f"/channels/{numbered.pk}").json()["id"] == numbered.pk
    assert backend.ask("GET", "/channels/99999999999").json()["id"] == lost.pk
    padded = Channel.objects.create(app=channel.app, uuid=f"00{channel.pk}")
    assert backend.ask("GET", f"/channels/00{channel.pk}").json()["id"] == padded.pk


@pytest.mark.parametrize("uuid", ["a/b", "a b", "é", "subscriptions", "%2F", "a?b", "٣", "-1"])
def test_a_uuid_may_be_any_text(backend, app, uuid):
    channel = Channel.objects.create(app=app, uuid=uuid)
    where = f"/channels/{quote(uuid, safe='')}"
    assert backend.ask("GET", where).json()["id"] == channel.pk
    refused(backend.ask("POST", f"{where}/subscriptions", {}), "installIds")
    done(backend.ask("DELETE", where))


@pytest.mark.parametrize(
    "name", ["0", "-1", "2147483648", "9" * 300, "no", "%00", "%FF", "x" * 999]
)
@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/subscriptions"),
        ("DELETE", "/subscriptions"),
    ],
)
def test_an_unknown_channel_is_not_found_whatever_the_body(backend, method, rest, name):
    unknown(backend.ask(method, f"/channels/{name}{rest}", b"{broken"))


def test_another_apps_channel_is_not_found(other_backend, channel):
    for method, rest in (
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/subscriptions"),
        ("DELETE", "/subscriptions"),
    ):
        for name in (channel.pk, channel.uuid):
            unknown(other_backend.ask(method, f"/channels/{name}{rest}", {"installIds": ["a"]}))
    assert Channel.objects.get() == channel


def test_deleting_a_channel_deletes_its_subscriptions_and_no_people(backend, channel, phones):
    phones.install("a", user="u")
    body = {"installIds": ["a"], "userIds": ["u"]}
    done(backend.ask("POST", "/channels/news/subscriptions", body))
    done(backend.ask("DELETE", "/channels/news", {"reason": "read and ignored"}))
    assert not ChannelSubscription.objects.exists()
    assert Install.objects.count() == 1
    unknown(backend.ask("DELETE", "/channels/news"))


@FAST
@given(change=st.dictionaries(st.sampled_from([*CHANNEL, "userIdentifier", "installId"]), values))
def test_any_value_under_any_key_is_taken_or_refused(backend, device, channel, change):
    for caller, method, path, yes in (
        (backend, "POST", "/channels", 201),
        (backend, "PUT", f"/channels/{channel.pk}", 200),
        (device, "POST", "/v1/channels", 201),
    ):
        before = list(Channel.objects.order_by("pk").values())
        answer = caller.ask(method, path, {**CHANNEL, **change})
        assert answer.status_code in {yes, 422}, answer.content
        if answer.status_code == 422:
            assert isinstance(answer.json()["error"], str)
            assert list(Channel.objects.order_by("pk").values()) == before


@FAST
@given(body=st.dictionaries(st.sampled_from(["installIds", "userIds", "uuids"]), values))
def test_any_value_as_subscribers_is_taken_or_refused(backend, device, channel, body):
    paths = [(backend, "/channels/news/subscriptions")]
    paths += [
        (device, f"/v1/{kind}/x/channels/subscriptions") for kind in ("users", "app-installs")
    ]
    for caller, path in paths:
        for method in ("POST", "DELETE") if caller is backend else ("POST", "PUT", "DELETE"):
            answer = caller.ask(method, path, body)
            assert answer.status_code in {204, 404, 422}, answer.content


# -- the list


def test_channels_are_listed_by_page_oldest_first(backend, app, other_app):
    for n in range(3):
        Channel.objects.create(app=app, uuid=f"c{n}")
    Channel.objects.create(app=other_app.app, uuid="theirs")
    first = backend.ask("GET", "/channels?currentPage=1&numberPerPage=2").json()
    assert list(first) == ["channels", "totalChannels", "currentPage"]
    assert [it["uuid"] for it in first["channels"]] == ["c0", "c1"]
    assert (first["totalChannels"], first["currentPage"]) == (3, 1)
    second = backend.ask("GET", "/channels?currentPage=2&numberPerPage=2").json()
    assert [it["uuid"] for it in second["channels"]] == ["c2"]
    beyond = backend.ask("GET", "/channels?currentPage=2147483647&numberPerPage=1000").json()
    assert (beyond["channels"], beyond["totalChannels"]) == ([], 3)
    assert len(backend.ask("GET", "/channels").json()["channels"]) == 3


def test_bad_pages_are_refused_at_both_keys(backend):
    answer = backend.ask("GET", "/channels?currentPage=0&numberPerPage=1001")
    refused(answer, "currentPage", "numberPerPage")


def test_a_page_costs_the_same_however_long_it_is(backend, app):
    counts = []
    for _ in range(2):
        Channel.objects.bulk_create(Channel(app=app, uuid=f"{len(counts)}-{n}") for n in range(20))
        backend.ask("GET", "/channels")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            backend.ask("GET", "/channels?numberPerPage=1000")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 3


# -- subscriptions


def test_installs_and_users_are_subscribed_and_unsubscribed(backend, channel, phones):
    for uid in "abc":
        phones.install(uid, user=f"user-{uid}")
    where = "/channels/news/subscriptions"
    done(backend.ask("POST", where, {"installIds": ["a", "b"]}))
    done(backend.ask("POST", where, {"userIds": ["user-c", "user-a"], "installIds": []}))
    done(backend.ask("POST", where, {"installIds": ["b", "b", "a"]}))
    assert subscribed(channel) == ({"a", "b"}, {"user-a", "user-c"})
    done(backend.ask("DELETE", where, {"installIds": ["a", "c", "a"]}))
    assert subscribed(channel) == ({"b"}, {"user-a", "user-c"}), "removes only what it names"
    done(backend.ask("DELETE", where, {"installIds": ["b"], "userIds": ["user-a", "user-b"]}))
    assert subscribed(channel) == (set(), {"user-c"})


@pytest.fixture
def people(phones, other_app):
    """Somebody of ours, `a` with user `u`, and somebody of another app."""
    phones.install("a", user="u")
    foreign = User.objects.create(app=other_app.app, uid="theirs")
    Install.objects.create(app=other_app.app, uid="theirs", user=foreign)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("key", ["installIds", "userIds"])
def test_one_unknown_name_spoils_the_call_and_is_named(backend, channel, people, method, key):
    where, known = "/channels/news/subscriptions", {"installIds": ["a"], "userIds": ["u"]}
    if method == "DELETE":
        done(backend.ask("POST", where, known))
    before = subscribed(channel)
    body = {**known, key: [*known[key], "theirs", "nobody"]}
    unknown(backend.ask(method, where, body), named="theirs", key=key)
    assert subscribed(channel) == before


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ({}, ["installIds"]),
        ({"installIds": [], "userIds": []}, ["installIds"]),
        ({"installIds": None}, ["installIds"]),
        ({"installIds": "a"}, ["installIds"]),
        ({"installIds": [1]}, ["installIds"]),
        ({"installIds": ["\0"], "userIds": {"u": 1}}, ["installIds", "userIds"]),
    ],
)
def test_naming_nobody_or_no_list_of_names_is_refused(backend, channel, method, body, keys):
    refused(backend.ask(method, "/channels/news/subscriptions", body), *keys)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_body_that_is_no_object_is_refused(backend, channel, method):
    for body in (b"", b"{", b"[]", b'"a"'):
        refused(backend.ask(method, "/channels/news/subscriptions", body))


def test_ten_thousand_installs_are_subscribed_with_a_handful_of_queries(backend, channel):
    crowd(channel.app, 10_000)
    body = {"installIds": [f"crowd-{n}" for n in range(10_000)]}
    for method, left in (("POST", 10_000), ("POST", 10_000), ("DELETE", 0)):
        with CaptureQueriesContext(connection) as queries:
            done(backend.ask(method, "/channels/news/subscriptions", body))
        assert len(queries) <= 8, [query["sql"][:80] for query in queries]
        assert ChannelSubscription.objects.count() == left


def crowd(app: App, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO crm_user (app_id, uid, anonymous)
               SELECT %s, 'crowd-' || n, true FROM generate_series(0, %s) n""",
            [app.pk, count - 1],
        )
        cursor.execute(
            "INSERT INTO crm_install (app_id, uid, user_id) SELECT app_id, uid, id FROM crm_user"
        )


# -- what it is for


def test_a_channel_reaches_its_installs_and_its_users_current_installs(
    backend, channel, phones, sends
):
    from delivery.audience import Audience
    from delivery.fanout import plan_batches
    from delivery.models import Batch

    tokens = {
        uid: phones.ring(uid, user=user).pk
        for uid, user in (("a", "u"), ("b", "u"), ("c", "v"), ("d", None))
    }
    done(
        backend.ask("POST", "/channels/news/subscriptions", {"installIds": ["c"], "userIds": ["u"]})
    )
    occurrence = sends.to(Audience(channel_ids=(channel.pk,)))
    list(plan_batches(occurrence.pk))
    planned = {token for batch in Batch.objects.all() for token in batch.token_ids}
    assert planned == {tokens["a"], tokens["b"], tokens["c"]}
