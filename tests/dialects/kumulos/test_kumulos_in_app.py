"""`/v1/messages/in-app`: a template, filled in, for an audience at a moment."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from kumulos_calls import refused, sent
from test_kumulos_fuzz import FAST, values

from delivery import tasks
from delivery.audience import Audience
from delivery.message import InAppMessage, Presented
from delivery.models import InboxItem, Notification, Occurrence, Open
from gateway.kumulos.in_app.fields import InAppFields, InboxFields
from templates_app.models import Template

IN_APP = "/v1/messages/in-app"
CONTENT = {"ver": 1, "text": "{{percent}} % for {{name}}", "more": [None, 1.5, "{{ percent }}"]}
AHEAD = "2099-01-01T00:00:00+0000"
LATER = {"sendAt": "2098-01-01 09:30", "strategy": "utc", "pastTimes": "ignore"}


@pytest.fixture
def template(app):
    return Template.objects.create(app=app, uid="offer", name="Offer", content=CONTENT)


@pytest.fixture
def send(backend, template):
    """Send to everyone, with all values; only what matters to a test needs to be said."""

    def sending(**said):
        filled = {"dynamicContent": {"percent": 20, "name": "you"}}
        body = {"templateUid": "offer", "broadcast": True, **filled, **said}
        return backend.ask("POST", IN_APP, body)

    return sending


def fire(notification: Notification) -> None:
    """Do what a worker does when every firing of a message is due."""
    notification.occurrences.update(due_at=timezone.now())
    for occurrence in notification.occurrences.all():
        tasks.fan_out(occurrence.pk, notification.lane)


def holders(notification: Notification) -> dict[str, dict]:
    """Give the users who have a message, with their own values."""
    return dict(
        InboxItem.objects.filter(notification=notification).values_list("user__uid", "values")
    )


# -- what is stored


def test_the_whole_message_is_stored_with_the_template_as_it_is_now(send, template):
    inbox = {"title": "An offer", "subtitle": "", "imagePath": "a.png", "from": None, "to": AHEAD}
    notification = sent(
        send(
            presentedWhen="never",
            inbox=inbox,
            data={"sku": 7},
            badge={"incrementBy": 1},
            expiresAt=AHEAD,
            reportingMeta={"campaign": "x"},
        )
    )
    template.content = {}
    template.save()
    assert notification.kind == Notification.Kind.IN_APP
    assert InAppMessage.from_json(notification.message) == InAppMessage(
        template_uid="offer",
        content=CONTENT,
        presented=Presented.NEVER,
        values={"percent": 20, "name": "you"},
        inbox=inbox,
        data={"sku": 7},
        badge={"incrementBy": 1},
        expires_at=datetime(2099, 1, 1, tzinfo=UTC),
    )
    assert notification.reporting_meta == {"campaign": "x"}


def test_what_is_not_said_has_a_quiet_default(send):
    message = InAppMessage.from_json(sent(send()).message)
    assert message.presented is Presented.IMMEDIATELY
    assert (message.inbox, message.data, message.badge, message.expires_at) == (None,) * 4


def test_targets_are_read_as_those_of_a_push(send):
    answer = send(broadcast=False, installIds=["i", "i"], userIds=["u"], excludeInstallIds=["x"])
    assert Audience.from_json(sent(answer).audience) == Audience(
        install_uids=("i",), user_uids=("u",), except_install_uids=("x",)
    )
    assert answer.json()["filters"] == {
        "broadcast": False,
        "installIds": ["i", "i"],
        "userIds": ["u"],
        "excludeInstallIds": ["x"],
    }


def test_it_waits_for_its_moment(send):
    answer = send(scheduled=True, schedule=LATER)
    [occurrence] = Occurrence.objects.filter(notification=sent(answer))
    assert occurrence.due_at == datetime(2098, 1, 1, 9, 30, tzinfo=UTC)
    assert answer.json()["state"] == "scheduled"


def test_a_local_moment_is_reached_in_each_zone(send, phones):
    for zone in ("Asia/Tokyo", "Europe/Berlin"):
        install = phones.install(zone, user=zone)
        install.timezone = zone
        install.save()
    notification = sent(send(scheduled=True, schedule={**LATER, "strategy": "local"}))
    due = dict(notification.occurrences.values_list("zone", "due_at"))
    assert due["Europe/Berlin"] - due["Asia/Tokyo"] == timedelta(hours=8)


def test_a_past_moment_that_is_to_be_ignored_reaches_nobody(send, phones):
    phones.install("install-1", user="member-1")
    past = {**LATER, "sendAt": "2001-01-01 00:00"}
    notification = sent(send(scheduled=True, schedule=past))
    fire(notification)
    assert holders(notification) == {}


# -- whom it reaches


def test_every_user_of_the_audience_gets_one_with_their_own_values(send, phones):
    for install, user in (("a", "member-1"), ("b", "member-1"), ("c", "member-2")):
        phones.install(install, user=user)
    own = {"member-1": {"name": "Mark"}, "stranger": {"name": "?"}}
    notification = sent(send(userDynamicContent=own))
    fire(notification)
    assert holders(notification) == {"member-1": {"name": "Mark"}, "member-2": {}}


def test_who_refused_in_app_messages_gets_none(send, phones):
    for uid, consent in (("yes", True), ("no", False), ("silent", None)):
        user = phones.install(f"of-{uid}", user=uid).user
        user.in_app_enabled = consent
        user.save()
    notification = sent(send(broadcast=False, userIds=["yes", "no", "silent"]))
    fire(notification)
    assert set(holders(notification)) == {"yes", "silent"}


# -- tags


def test_a_tag_without_a_value_is_refused_and_all_of_them_named(send):
    reasons = refused(send(dynamicContent={}), "dynamicContent")
    assert reasons["dynamicContent"] == ["No value for: percent, name."]


@pytest.mark.parametrize("target", [{"broadcast": True}, {"installIds": ["i"]}])
def test_values_of_users_are_not_enough_where_others_are_meant_too(send, target):
    own = {"member-1": {"name": "Mark"}}
    said = {"broadcast": False, "userIds": ["member-1"], **target}
    answer = send(dynamicContent={"percent": 1}, userDynamicContent=own, **said)
    assert refused(answer, "dynamicContent")["dynamicContent"] == ["No value for: name."]


def test_users_named_one_by_one_may_each_bring_their_own_values(send):
    said = {"broadcast": False, "dynamicContent": {"percent": 1}}
    own = {"member-1": {"name": None}, "member-2": {"name": "Ann"}}
    sent(send(userIds=["member-1", "member-2"], userDynamicContent=own, **said))


def test_every_user_named_needs_all_values(send):
    own = {"member-1": {"name": "Mark"}, "member-2": {"percent": 1}}
    said = {"broadcast": False, "userIds": list(own), "dynamicContent": {"percent": 1}}
    refused(send(userDynamicContent=own, **said), "dynamicContent")


# -- refusals


@pytest.mark.parametrize(
    ("key", "bad"),
    {
        "templateUid": [None, "", 1, True, [], {}, "unknown", "OFFER", "a\0", "x" * 300],
        "broadcast": [None, 1, "true"],
        "userIds": [None, "u", [1], ["\0"]],
        "dynamicContent": [None, [], "x", {"a": "\0"}],
        "userDynamicContent": [None, [], {"u": 1}, {"u": None}, {"u": {"a": "\0"}}],
        "presentedWhen": [None, "", "Immediately", 1, []],
        "inbox": ["", [], 1],
        "inbox.title": [{}, {"title": ""}, {"title": None}, {"title": 1}],
        "inbox.subtitle": [{"title": "t", "subtitle": 1}],
        "inbox.imagePath": [{"title": "t", "imagePath": "\0"}],
        "inbox.from": [{"title": "t", "from": "2021-08-31 13:55"}],
        "inbox.to": [{"title": "t", "to": 1}],
        "data": [[], "x", 1],
        "badge": [[], "x", 1],
        "reportingMeta": [None, [], {"a": "\0"}],
        "scheduled": [None, 1],
    }.items(),
)
def test_a_value_of_the_wrong_kind_is_refused_under_its_key(send, key, bad):
    for value in bad:
        refused(send(**{key.split(".")[0]: value}), key)


@pytest.mark.parametrize(
    "moment",
    [
        "",
        1,
        "2099-01-01",
        "2099-01-01T00:00:00Z",
        "2099-01-01T00:00:00+00:00",
        "2099-01-01T00:00:00+0100",
        "2099-01-01T00:00:00.5+0000",
        "2099-01-01 00:00:00+0000",
        "2099-02-29T00:00:00+0000",
        "2099-01-01T24:00:00+0000",
        "2099-01-01T00:00:00+0000\n",
        "0000-01-01T00:00:00+0000",
        "2020-01-01T00:00:00+0000",
    ],
)
def test_it_expires_at_a_moment_ahead_in_the_one_spelling(send, moment):
    refused(send(expiresAt=moment), "expiresAt")


def test_it_does_not_expire_before_it_is_sent(send):
    refused(send(scheduled=True, schedule=LATER, expiresAt="2098-01-01T09:30:00+0000"), "expiresAt")
    sent(send(scheduled=True, schedule=LATER, expiresAt="2098-01-01T09:30:01+0000"))


def test_every_bad_key_is_named_at_once(send):
    answer = send(templateUid=1, broadcast=0, inbox={"from": "x"}, scheduled=True, expiresAt=2)
    refused(
        answer,
        *("templateUid", "broadcast", "inbox.title", "inbox.from", "expiresAt"),
        *("schedule.sendAt", "schedule.strategy", "schedule.pastTimes"),
    )


@FAST
@given(
    said=st.dictionaries(
        st.sampled_from(list(InAppFields().get_fields())),
        values | st.dictionaries(st.sampled_from([*InboxFields().get_fields(), "sendAt"]), values),
        max_size=4,
    )
)
def test_any_value_under_any_key_is_taken_or_refused(send, said):
    before = Notification.objects.count()
    answer = send(**said)
    assert answer.status_code in {201, 422}, answer.content
    assert Notification.objects.count() - before == (answer.status_code == 201)


def test_somebody_has_to_be_named(send):
    refused(send(broadcast=False), "broadcast")
    refused(send(broadcast=False, channelUuids=["unknown"]), "channelUuids")


def test_a_template_of_another_app_is_unknown(send, other_backend, db):
    refused(
        other_backend.ask("POST", IN_APP, {"templateUid": "offer", "broadcast": True}),
        "templateUid",
    )


def test_the_device_key_opens_no_server_route(device, send):
    id_ = sent(send()).pk
    for method, path in (("POST", IN_APP), ("GET", IN_APP), ("GET", f"{IN_APP}/{id_}")):
        assert device.ask(method, path, {}).status_code == 401


# -- reading back


def test_a_message_is_counted_by_what_users_did_with_it(send, backend, device, event, phones):
    for n in range(3):
        phones.install(f"i{n}", user=f"u{n}")
    notification = sent(send())
    fire(notification)
    deeds = [("k.message.opened", "u0"), ("k.message.read", "u0"), ("k.message.read", "u1")]
    for kind, user in [*deeds, ("k.message.inbox.deleted", "u2")]:
        device.tell(event(kind, {"type": 2, "id": notification.pk}, userId=user))
    body = backend.ask("GET", f"{IN_APP}/{notification.pk}").json()
    assert body["counts"] == {"sent": 3, "read": 2, "opened": 1, "deleted": 1}
    assert body["state"] == "sent"


def test_messages_are_listed_newest_first_in_pages(send, backend):
    ids = [sent(send()).pk for _ in range(3)]
    backend.send(broadcast=True)  # a push is not among them
    body = backend.ask("GET", f"{IN_APP}?numberPerPage=2&currentPage=2").json()
    assert (body["totalMessages"], body["currentPage"]) == (3, 2)
    assert [message["id"] for message in body["messages"]] == [ids[0]]
    body = backend.ask("GET", IN_APP).json()
    assert [message["id"] for message in body["messages"]] == ids[::-1]
    assert body["messages"][0] == send_back(backend, ids[2])


def send_back(backend, id_):
    body = backend.ask("GET", f"{IN_APP}/{id_}").json()
    return {key: value for key, value in body.items() if key != "counts"}


def test_a_page_that_is_none_is_refused(send, backend):
    answer = backend.ask("GET", f"{IN_APP}?numberPerPage=0&currentPage=x")
    assert set(answer.json()) == {"error", "currentPage", "numberPerPage"}
    assert answer.status_code == 422
    assert backend.ask("GET", f"{IN_APP}?currentPage=1000").json()["messages"] == []


def test_a_long_list_takes_no_more_queries_than_a_short_one(send, backend):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert backend.ask("GET", IN_APP).status_code == 200
        return len(captured)

    send()
    few = queries()
    for _ in range(5):
        send()
    assert queries() == few


def test_what_is_no_in_app_message_of_this_app_is_not_found(send, backend, other_backend):
    push = sent(backend.send(broadcast=True)).pk
    in_app = sent(send()).pk
    for caller, id_ in (
        (backend, push),
        (other_backend, in_app),
        (backend, in_app + 1),
        *((backend, odd) for odd in (0, -1, "x", 2**31, 2**70, "%00", "%D9%A1")),
    ):
        for method in ("GET", "DELETE"):
            assert caller.ask(method, f"{IN_APP}/{id_}").status_code == 404, (method, id_)
    assert not Occurrence.objects.filter(state=Occurrence.State.CANCELLED).exists()


# -- cancelling


def test_a_message_is_cancelled_before_it_fires(send, backend, phones):
    phones.install("install-1", user="member-1")
    notification = sent(send(scheduled=True, schedule=LATER))
    assert backend.ask("DELETE", f"{IN_APP}/{notification.pk}").status_code == 204
    fire(notification)
    assert holders(notification) == {}
    assert backend.ask("GET", f"{IN_APP}/{notification.pk}").json()["state"] == "cancelled"


def test_a_message_that_has_fired_or_was_cancelled_is_not_cancelled(send, backend):
    fired, cancelled = sent(send()), sent(send())
    fire(fired)
    backend.ask("DELETE", f"{IN_APP}/{cancelled.pk}")
    for notification in (fired, cancelled):
        answer = backend.ask("DELETE", f"{IN_APP}/{notification.pk}")
        assert (answer.status_code, list(answer.json())) == (422, ["error"])


def test_a_message_in_an_inbox_is_no_push(send, backend, phones):
    phones.ring("install-1", user="member-1")
    notification = sent(send())
    fire(notification)
    assert not notification.occurrences.filter(batches__isnull=False).exists()
    assert backend.ask("GET", f"/notifications/{notification.pk}/user-opens").status_code == 404


def test_a_receipt_of_a_push_with_an_in_app_id_counts_for_nothing(app, device, event):
    message = Notification.objects.create(
        app=app,
        source=Notification.Source.KUMULOS,
        kind=Notification.Kind.IN_APP,
        message=InAppMessage(template_uid="t", content={}).as_json(),
        audience={"everyone": True},
        schedule={},
        lane="bulk",
        time_to_live=timedelta(hours=1),
    )
    opened = {"type": 1, "id": message.pk}
    device.tell(event("k.fg"))

    device.tell(event("k.message.opened", opened))
    device.tell(event("k.message.opened", opened), event("k.bg"))

    assert not Open.objects.exists()
