"""`GET /v1/users/{uid}/messages`: a user's in-app messages (contracts/kumulos §2.3)."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kumulos_calls import sent

from crm.models import User
from delivery import inbox, tasks
from delivery.message import InAppMessage
from delivery.models import InboxItem, Notification
from templates_app.models import Template

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SPELLING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000")


@pytest.fixture
def fetch(device):
    """Give a user's messages; the uid is encoded as SDKs do it."""

    def fetching(uid="member-1", query=""):
        answer = device.ask("GET", f"/v1/users/{quote(uid, safe='')}/messages{query}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    return fetching


@pytest.fixture
def member(app):
    return User.objects.create(app=app, uid="member-1")


@pytest.fixture
def put(app, member):
    """Put a message into an inbox, changed a number of minutes after noon."""

    def putting(minute=0, *, user=member, values=None, moments=None, **said):
        message = InAppMessage(**{"template_uid": "offer", "content": {"text": "hello"}, **said})
        notification = Notification.objects.create(
            app=user.app,
            source=Notification.Source.KUMULOS,
            kind=Notification.Kind.IN_APP,
            message=message.as_json(),
            audience={"everyone": True},
            schedule={},
            lane="bulk",
            time_to_live=timedelta(hours=1),
        )
        return InboxItem.objects.create(
            notification=notification,
            user=user,
            values=values or {},
            sent_at=NOON,
            updated_at=NOON + timedelta(minutes=minute),
            **(moments or {}),
        )

    return putting


def ids(messages) -> list[int]:
    return [message["id"] for message in messages]


# -- from a backend's ask to the phone and back


def test_a_message_goes_from_the_backend_to_the_phone(backend, device, event, fetch, phones):
    phones.install("install-1", user="member-1")
    content = {"ver": 1, "text": "{{percent}} % for {{name}}", "more": [None, "{{ percent }}"]}
    Template.objects.create(app=phones.app, uid="offer", name="Offer", content=content)
    ask = {
        "templateUid": "offer",
        "userIds": ["member-1"],
        "dynamicContent": {"percent": 20, "name": "you"},
        "userDynamicContent": {"member-1": {"name": "Mark"}},
        "presentedWhen": "next-open",
        "inbox": {"title": "An offer", "to": "2099-01-01T00:00:00+0000"},
        "data": {"sku": 7},
        "badge": {"setTo": 1},
        "expiresAt": "2099-01-01T00:00:00+0000",
    }
    notification = sent(backend.ask("POST", "/v1/messages/in-app", ask))
    assert fetch() == []
    tasks.fan_out(notification.occurrences.get().pk, notification.lane)

    [message] = fetch()
    moments = [message.pop(name) for name in ("updatedAt", "sentAt")]
    assert all(SPELLING.fullmatch(moment) for moment in moments)
    assert message == {
        "id": notification.pk,
        "presentedWhen": "next-open",
        "content": {"ver": 1, "text": "20 % for Mark", "more": [None, 20]},
        "data": {"sku": 7},
        "badge": {"setTo": 1},
        "inbox": {
            "title": "An offer",
            "subtitle": None,
            "imagePath": None,
            "from": None,
            "to": "2099-01-01T00:00:00+0000",
        },
        "openedAt": None,
        "readAt": None,
        "expiresAt": "2099-01-01T00:00:00+0000",
        "inboxDeletedAt": None,
    }

    seen = {"type": 2, "id": notification.pk}
    device.tell(event("k.message.opened", seen, userId="member-1"))
    device.tell(event("k.message.inbox.deleted", seen, userId="member-1", timestamp=0))
    [message] = fetch()
    assert (message["openedAt"], message["readAt"]) == ("2020-09-13T12:26:40+0000", None)
    assert message["inboxDeletedAt"] == "1970-01-01T00:00:00+0000"


def test_keys_come_in_the_documented_order(put, fetch):
    put()
    assert list(fetch()[0]) == [
        *("id", "presentedWhen", "content", "data", "badge", "inbox", "updatedAt", "sentAt"),
        *("openedAt", "readAt", "expiresAt", "inboxDeletedAt"),
    ]


def test_every_moment_has_the_one_spelling_android_reads(put, fetch):
    odd = datetime(1, 1, 1, 0, 0, 0, 5, tzinfo=UTC)  # a clock far behind, told to the microsecond
    put(
        moments={"opened_at": odd, "read_at": odd, "deleted_at": odd},
        expires_at=datetime(2099, 1, 1, tzinfo=UTC),
    )
    [message] = fetch()
    moments = {key: message[key] for key in message if key.endswith("At")}
    assert len(moments) == 6
    for key, moment in moments.items():
        assert SPELLING.fullmatch(moment), (key, moment)
    assert moments["openedAt"] == "0001-01-01T00:00:00+0000"


# -- which messages


def test_messages_come_in_the_order_of_their_last_change(put, fetch):
    late, early, middle = put(9), put(1), put(5)
    assert ids(fetch()) == [item.notification_id for item in (early, middle, late)]


def test_the_newest_are_given_where_there_are_too_many(put, fetch, monkeypatch):
    monkeypatch.setattr(inbox, "MOST", 2)
    items = [put(minute) for minute in range(4)]
    assert ids(fetch()) == [item.notification_id for item in items[2:]]


def test_expired_messages_are_left_out_before_they_are_counted(put, fetch, monkeypatch):
    monkeypatch.setattr(inbox, "MOST", 1)
    kept = put(1, expires_at=timezone.now() + timedelta(minutes=1))
    put(2, expires_at=timezone.now())
    assert ids(fetch()) == [kept.notification_id]


def test_a_deleted_message_stays_so_that_other_devices_hear_of_it(put, fetch):
    put(moments={"deleted_at": NOON})
    assert fetch()[0]["inboxDeletedAt"] == "2026-03-10T12:00:00+0000"


@pytest.mark.parametrize(
    "after",
    [
        "2026-03-10T12:05:00Z",
        "2026-03-10T12:05:00+0000",
        "2026-03-10T12:05:00%2B0000",
        "2026-03-10T12:05:00+00:00",
        "2026-03-10T12:05:00%2B00:00",
        "2026-03-10T14:05:00%2B02:00",
        "2026-03-10T14:05:00+02:00",
        "2026-03-10T12:05:00.000Z",
        "2026-03-10T12:05:00",
        "2026-03-10%2012:05:00",
    ],
)
def test_after_leaves_out_what_an_app_has(put, fetch, after):
    put(4)
    due = [put(5), put(6)]
    assert ids(fetch(query=f"?after={after}")) == [item.notification_id for item in due]


@pytest.mark.parametrize(
    "after",
    [
        *("", "x", "0", "1615374300", "2026-13-01T00:00:00Z", "%00", "%FF"),
        *("2026-03-10T12:05:00X", "99999-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"),
        "0001-01-01T00:00:00%2B23:59",
    ],
)
def test_an_after_that_is_no_moment_is_ignored(put, fetch, after):
    put()
    assert len(fetch(query=f"?after={after}")) == 1


# -- whose


@pytest.mark.parametrize("uid", ["nobody", "MEMBER-1", "member-1 ", "\0", "x" * 3000, "a/b", "é@x"])
def test_an_unknown_user_has_no_messages_and_is_not_made(put, fetch, uid):
    put()
    assert fetch(uid) == []
    assert User.objects.count() == 1


@pytest.mark.parametrize("uid", ["user/42 é@x", "a/messages", "..", "a\nb", "%2F", "v1/users/x"])
def test_a_uid_may_hold_anything(app, put, fetch, uid):
    item = put(user=User.objects.create(app=app, uid=uid))
    assert ids(fetch(uid)) == [item.notification_id]


def test_a_uid_that_was_not_encoded_is_understood(app, device, put):
    put(user=User.objects.create(app=app, uid="a/b c"))
    assert len(device.ask("GET", "/v1/users/a/b c/messages").json()) == 1


def test_users_see_their_own_messages_only(app, other_app, put, fetch):
    put(user=User.objects.create(app=app, uid="member-2"))
    put(user=User.objects.create(app=other_app.app, uid="member-1"))
    assert fetch() == []


def test_it_takes_the_device_key(db, client, backend, device):
    path = "/v1/users/member-1/messages"
    assert backend.ask("GET", path).status_code == 401
    assert client.get(path).status_code == 401
    assert device.ask("POST", path).status_code == 405


def test_pages_of_any_origin_may_read_it(db, client, device):
    path = "/v1/users/a%2Fb/messages"
    assert client.options(path).status_code == 204
    for answer in (client.get(path), device.ask("GET", path)):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


# -- how


def test_a_full_inbox_is_read_in_one_query_by_its_index(put, fetch):
    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            fetch(query="?after=2026-03-10T12:00:00Z")
        return [q["sql"] for q in captured if "inboxitem" in q["sql"]]

    put()
    [query] = queries()
    for minute in range(5):
        put(minute, values={"name": "Mark"})
    assert len(queries()) == 1
    assert not re.search(r"audience|user_meta|filters", query)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Scan Backward using inbox_of_user" in plan  # the newest first, and no more
