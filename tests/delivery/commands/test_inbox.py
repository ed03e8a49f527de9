import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm.commands.apps import create_app
from crm.models import User
from delivery.commands.inbox import note_inbox
from delivery.message import InAppMessage
from delivery.models import InboxItem, Notification
from tests.at_once import PATIENCE, wait_until_somebody_waits

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def item(app):
    notification = Notification.objects.create(
        app=app,
        source=Notification.Source.KUMULOS,
        kind=Notification.Kind.IN_APP,
        message=InAppMessage(template_uid="offer", content={}).as_json(),
        audience={"everyone": True},
        schedule={},
        lane="bulk",
        time_to_live=timedelta(hours=1),
    )
    user = User.objects.create(app=app, uid="mark")
    return InboxItem.objects.create(notification=notification, user=user, updated_at=LONG_AGO)


@pytest.fixture
def note(app, item):
    """Note something about the one message, and give its row as it is then."""

    def noting(kind, at=NOON, **said):
        known = {"app_id": app.pk, "user_uid": "mark", "message_id": item.notification_id}
        note_inbox(kind=kind, at=at, **{**known, **said})
        item.refresh_from_db()
        return item

    return noting


def moments(item):
    return item.opened_at, item.read_at, item.deleted_at


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("opened", (NOON, None, None)),
        ("read", (None, NOON, None)),
        ("deleted", (None, None, NOON)),
    ],
)
def test_each_deed_has_a_moment_of_its_own(note, kind, expected):
    item = note(kind)
    assert moments(item) == expected
    assert timezone.now() - item.updated_at < MINUTE


@pytest.mark.parametrize("kind", ["opened", "read", "deleted"])
def test_the_first_moment_counts_in_whatever_order_events_arrive(note, kind):
    note(kind, NOON)
    note(kind, NOON + MINUTE)
    assert NOON in moments(note(kind, NOON))
    assert NOON - MINUTE in moments(note(kind, NOON - MINUTE))


def test_a_deed_told_again_is_no_change_to_fetch(note, item):
    note("read")
    InboxItem.objects.update(updated_at=LONG_AGO)
    assert note("read", NOON + MINUTE).updated_at == LONG_AGO
    assert note("read", NOON - MINUTE).updated_at > LONG_AGO


def test_a_deleted_message_stays_deleted(note):
    note("deleted")
    note("read", NOON + MINUTE)
    assert moments(note("opened", NOON + MINUTE)) == (NOON + MINUTE, NOON + MINUTE, NOON)


def test_what_is_not_in_that_users_inbox_is_passed_over(app, note, item):
    other = create_app(name="Other").app
    User.objects.create(app=other, uid="mark")
    User.objects.create(app=app, uid="ann")
    for said in (
        {"message_id": item.notification_id + 1},
        {"message_id": 0},
        {"user_uid": "ann"},
        {"user_uid": "nobody"},
        {"user_uid": ""},
        {"app_id": other.pk},
    ):
        assert moments(note("read", **said)) == (None, None, None), said
    assert item.updated_at == LONG_AGO


def test_it_is_one_statement(note):
    with CaptureQueriesContext(connection) as captured:
        note("read")
    assert [q["sql"].split()[0] for q in captured] == ["UPDATE", "SELECT"]  # and the look at it


@pytest.mark.django_db(transaction=True)
def test_of_two_events_at_once_the_first_moment_counts(item):
    known = {
        "app_id": item.user.app_id,
        "user_uid": "mark",
        "message_id": item.notification_id,
        "kind": "read",
    }
    with transaction.atomic():
        note_inbox(at=NOON, **known)
        late = threading.Thread(
            target=in_its_own_connection, args=({**known, "at": NOON + MINUTE},)
        )
        late.start()
        wait_until_somebody_waits()
    late.join(PATIENCE)
    item.refresh_from_db()
    assert (late.is_alive(), item.read_at) == (False, NOON)


def in_its_own_connection(said):
    with closing(connection):
        note_inbox(**said)
