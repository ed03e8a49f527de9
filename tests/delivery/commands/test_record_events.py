import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm.commands.activity import Seen
from crm.commands.apps import create_app
from crm.commands.installs import (
    AssociateUser,
    ClearUser,
    DropToken,
    Locate,
    RegisterToken,
    SetEnabled,
    SetInApp,
    TrackInstall,
    recognise_install,
)
from crm.models import DeviceToken, Event, Install, User
from delivery import reports
from delivery.commands.record_events import (
    DeviceEvent,
    Receipt,
    record_events,
    record_in_order,
)
from delivery.models import Notification, Open

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def event(effect=None, *, uuid=None, type_="custom", user_uid=None, data=None, at=NOON):
    return DeviceEvent(
        uuid=uuid or uuid4(),
        type=type_,
        happened_at=at,
        user_uid=user_uid,
        data=data,
        effect=effect,
    )


def token(value="t1", **said):
    return RegisterToken(
        **{"transport": "apns", "environment": "production", "topic": "com.example", "value": value}
        | said
    )


@pytest.fixture
def told(app):
    def tell(*effects, uid="I-1"):
        record_events(app=app, install_uid=uid, events=[event(e) for e in effects])
        return Install.objects.select_related("user").get(app=app, uid=uid)

    return tell


def test_an_unknown_install_is_created_with_its_anonymous_user(app):
    assert record_events(app=app, install_uid="I-1", events=[]) == 0

    install = Install.objects.get()
    assert (install.uid, install.user.uid, install.user.anonymous) == ("I-1", "I-1", True)


def test_events_are_stored_as_told(app):
    told = event(type_="buy", data={"n": 1, "s": "é"}, user_uid="mark")

    assert record_events(app=app, install_uid="I-1", events=[told]) == 1

    stored = Event.objects.get()
    assert (stored.uuid, stored.type, stored.data) == (told.uuid, "buy", {"n": 1, "s": "é"})
    assert (stored.install_uid, stored.user_uid, stored.happened_at) == ("I-1", "mark", NOON)


def test_an_event_posted_again_changes_nothing(app, told):
    first = event(AssociateUser(user_uid="mark"))
    record_events(app=app, install_uid="I-1", events=[first])
    told(ClearUser())

    assert record_events(app=app, install_uid="I-1", events=[first]) == 0

    assert Install.objects.get().user.uid == "I-1"
    assert Event.objects.count() == 2


def test_a_uuid_twice_in_one_post_counts_once(app):
    twin = UUID(int=7)
    events = [
        event(AssociateUser(user_uid="mark"), uuid=twin),
        event(AssociateUser(user_uid="anna"), uuid=twin),
    ]

    assert record_events(app=app, install_uid="I-1", events=events) == 1
    assert Install.objects.get().user.uid == "mark"


def test_the_same_uuid_in_another_app_is_another_event(app):
    same = event()
    other = create_app(name="Other").app

    assert record_events(app=app, install_uid="I-1", events=[same]) == 1
    assert record_events(app=other, install_uid="I-1", events=[same]) == 1


def test_effects_are_applied_in_order(told):
    install = told(AssociateUser(user_uid="mark"), ClearUser(), AssociateUser(user_uid="anna"))

    assert install.user.uid == "anna"


def test_attributes_given_replace_all_and_absent_ones_keep(told):
    told(AssociateUser(user_uid="mark", attributes={"age": 40, "vip": True}))
    told(AssociateUser(user_uid="mark"))
    assert User.objects.get(uid="mark").attributes == {"age": 40, "vip": True}

    told(AssociateUser(user_uid="mark", attributes={"age": 41}))
    assert User.objects.get(uid="mark").attributes == {"age": 41}


def test_signing_out_gives_the_install_back_to_its_anonymous_user(told):
    install = told(AssociateUser(user_uid="mark"), ClearUser())

    assert (install.user.uid, install.user.anonymous) == ("I-1", True)


def test_the_moment_a_device_came_into_its_zone_is_kept(told):
    Install.objects.all().delete()
    told(TrackInstall(timezone="Europe/Paris"))
    Install.objects.update(timezone_since=NOON)

    assert told(TrackInstall(timezone="Europe/Paris", os="iOS")).timezone_since == NOON
    moved = told(TrackInstall(timezone="Asia/Tokyo", os="iOS"))
    assert abs(moved.timezone_since - timezone.now()) < timedelta(minutes=1)


def test_details_are_kept_whole_and_in_columns(told):
    said = {"os": "iOS", "os_version": "19", "timezone": "Europe/Paris", "details": {"a": 1}}
    install = told(TrackInstall(**said))

    assert (install.os, install.os_version, install.timezone) == ("iOS", "19", "Europe/Paris")
    assert install.details == {"a": 1}


def test_a_new_token_replaces_the_installs_old_one(told):
    told(token("old"), token("new"))

    alive = DeviceToken.objects.get(state="alive")
    assert alive.value == "new"
    assert DeviceToken.objects.get(value="old").state_reason == "replaced by the device"


def test_a_token_seen_on_a_second_install_moves_there(told):
    told(token("same"), uid="I-1")
    second = told(token("same"), uid="I-2")

    assert DeviceToken.objects.get().install == second


def test_a_token_that_changes_its_environment_leaves_nothing_behind(told):
    told(token("same"), token("same", environment="sandbox"))

    assert DeviceToken.objects.get(state="alive").environment == "sandbox"


def test_a_dropped_token_comes_back_when_it_registers_again(told):
    told(token(), DropToken())
    assert DeviceToken.objects.get().state == "dead"

    told(token())
    assert DeviceToken.objects.get().state == "alive"


def test_notifications_switched_off_keep_the_token(told):
    told(token(), SetEnabled(enabled=False))
    off = DeviceToken.objects.get()
    assert (off.state, off.enabled) == ("alive", False)
    assert not DeviceToken.objects.reachable().exists()

    told(SetEnabled(enabled=True))
    assert DeviceToken.objects.reachable().exists()


def test_in_app_consent_place_and_activity_are_kept(told):
    install = told(SetInApp(consented=True), Locate(latitude=55.9, longitude=-3.2), Seen())

    assert install.user.in_app_enabled is True
    assert (install.latitude, install.longitude) == (55.9, -3.2)
    assert install.user.first_active_at == install.user.last_active_at == NOON


def test_activity_in_the_future_counts_as_now(app):
    late = timezone.now() + timedelta(days=400)
    record_events(app=app, install_uid="I-1", events=[event(Seen(), at=late)])

    assert User.objects.get().last_active_at <= timezone.now()


@pytest.fixture
def notification(sends):
    notification = sends.to_everyone().notification
    notification.reporting_meta = {"campaign": "summer", "id": "theirs"}
    notification.user_meta = {"mark": {"step": 3, "campaign": "own"}}
    notification.save()
    return notification


def opened(notification, **said):
    return event(
        Receipt(kind="opened", notification_id=notification.pk),
        type_="k.message.opened",
        data={"type": 1, "id": notification.pk},
        **said,
    )


def test_an_open_is_reported_by_install_and_by_user(app, notification):
    record_events(app=app, install_uid="I-1", events=[opened(notification, user_uid="mark")])
    record_events(app=app, install_uid="I-2", events=[opened(notification)])

    assert reports.install_opens(app, notification.pk) == [("I-1", NOON), ("I-2", NOON)]
    assert reports.user_opens(app, notification.pk) == [("I-2", NOON), ("mark", NOON)]


def test_of_several_opens_the_earliest_counts_in_any_order(app, notification):
    for hours in (2, 1, 3):
        at = NOON + timedelta(hours=hours)
        record_events(app=app, install_uid="I-1", events=[opened(notification, at=at)])

    assert reports.install_opens(app, notification.pk) == [("I-1", NOON + timedelta(hours=1))]


def test_an_install_opened_by_two_users_is_one_row_and_two(app, notification):
    for user in ("mark", "anna"):
        record_events(app=app, install_uid="I-1", events=[opened(notification, user_uid=user)])

    assert len(reports.install_opens(app, notification.pk)) == 1
    assert [uid for uid, _ in reports.user_opens(app, notification.pk)] == ["anna", "mark"]


def test_an_open_in_the_future_is_taken_at_arrival(app, notification):
    late = timezone.now() + timedelta(days=30)
    record_events(app=app, install_uid="I-1", events=[opened(notification, at=late)])

    assert Open.objects.get().opened_at <= timezone.now()


def test_receipts_of_another_apps_notification_are_stored_and_count_for_nothing(notification):
    other = create_app(name="Other").app

    assert record_events(app=other, install_uid="I-1", events=[opened(notification)]) == 1
    assert not Open.objects.exists()


def test_an_open_by_a_user_id_too_long_to_be_one_counts_for_the_current_user(app, notification):
    record_events(app=app, install_uid="I-1", events=[opened(notification, user_uid="x" * 9000)])

    assert reports.user_opens(app, notification.pk) == [("I-1", NOON)]


def test_receipts_carry_the_reporting_and_the_users_meta_data(app, notification):
    record_events(app=app, install_uid="I-1", events=[opened(notification, user_uid="mark")])

    assert Event.objects.get().data == {
        "campaign": "own",
        "step": 3,
        "type": 1,
        "id": notification.pk,
    }


def test_opens_of_an_unknown_notification_are_not_found(app):
    with pytest.raises(reports.NotFound):
        reports.install_opens(app, Notification.objects.count() + 99)


def test_what_only_tells_leaves_the_install_as_it_is(told):
    told(TrackInstall(os="iOS"))
    with CaptureQueriesContext(connection) as asked:
        told(None)
    assert not [q for q in asked if q["sql"].startswith("UPDATE")]
    assert Install.objects.get().os == "iOS"


# -- one event of a known install is one statement


def receipt(notification, kind="opened", **said):
    effect = Receipt(kind=kind, notification_id=notification.pk)
    return event(effect, type_=f"k.message.{kind}", **said)


ONES = {
    "an open by somebody": lambda push: opened(push, user_uid="mark"),
    "an open by nobody named": opened,
    "an open by a name too long": lambda push: opened(push, user_uid="x" * 600),
    "an open in the future": lambda push: opened(push, at=NOON + timedelta(days=9999)),
    "an open long ago": lambda push: opened(push, at=datetime(1, 1, 1, tzinfo=UTC)),
    "an open that says nothing": receipt,
    "an open with keys of its own": lambda push: receipt(push, data={"campaign": None, "é": [1]}),
    "a delivery": lambda push: receipt(push, "delivered", user_uid="mark", data={"type": 1}),
    "a dismissal": lambda push: receipt(push, "dismissed", data={"type": 1}),
    "an open of no push": lambda push: event(
        Receipt(kind="opened", notification_id=push.pk + 1), data={"n": 1}
    ),
    "an event that means nothing": lambda push: event(data={"deep": [{"a": 1.5}]}, user_uid="m"),
    "an event without data": lambda push: event(),
}


@pytest.mark.parametrize("name", ONES)
def test_both_ways_of_recording_one_event_leave_the_same_rows(app, told, notification, name):
    install, one = told(AssociateUser(user_uid="anna")), ONES[name](notification)

    def rows_after(record):
        with transaction.atomic():
            new = record(app=app, install_uid="I-1", events=[one])
            again = record(app=app, install_uid="I-1", events=[one])
            event_rows = Event.objects.filter(uuid=one.uuid).values(
                "app", "install_uid", "uuid", "user_uid", "type", "data", "happened_at"
            )
            open_rows = Open.objects.values("notification", "install", "user_uid", "opened_at")
            rows = [new, again, list(event_rows), list(open_rows)]
            transaction.set_rollback(True)
        return rows

    rows = rows_after(record_events)
    assert rows == rows_after(record_in_order)
    assert rows[:2] == [1, 0]
    assert len(rows[2]) == 1
    assert len(rows[3]) == (1 if name.startswith("an open") and "no push" not in name else 0)
    assert [row["install"] for row in rows[3]] == [install.pk] * len(rows[3])


def test_an_open_of_a_known_install_is_one_statement(app, told, notification):
    told()
    with CaptureQueriesContext(connection) as besides:
        assert record_events(app=app, install_uid="I-1", events=[opened(notification)]) == 1
    assert not besides.captured_queries
    assert Open.objects.count() == 1


def test_the_first_word_of_an_install_may_be_an_open(app, notification):
    assert record_events(app=app, install_uid="I-9", events=[opened(notification)]) == 1
    assert reports.user_opens(app, notification.pk) == [("I-9", NOON)]


# -- many at once


def at_once(count, work):
    """Give what `work(n)` gave in each of `count` threads with connections of their own."""
    start = threading.Barrier(count)

    def run(number):
        with closing(connection):
            connection.ensure_connection()
            start.wait(20)
            return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_fifty_identical_posts_are_one_event_and_one_open(app, told, notification):
    told()
    one = opened(notification, user_uid="mark")

    def post(_):
        return record_events(app=app, install_uid="I-1", events=[one])

    assert sorted(at_once(50, post)) == [0] * 49 + [1]
    assert Event.objects.filter(uuid=one.uuid).count() == 1
    assert Open.objects.get().opened_at == NOON


@pytest.mark.django_db(transaction=True)
def test_of_opens_that_come_together_the_earliest_counts(app, told, notification):
    told()

    def post(number):
        one = opened(notification, at=NOON + timedelta(minutes=number))
        return record_events(app=app, install_uid="I-1", events=[one])

    assert at_once(20, post) == [1] * 20
    assert reports.install_opens(app, notification.pk) == [("I-1", NOON)]


@pytest.mark.django_db(transaction=True)
def test_an_open_does_not_wait_for_other_changes_of_its_device(app, told, notification):
    told()

    def post(_):
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        return record_events(app=app, install_uid="I-1", events=[opened(notification)])

    with transaction.atomic():
        recognise_install(app=app, uid="I-1")
        assert at_once(1, post) == [1]


@pytest.mark.django_db(transaction=True)
def test_an_event_posted_alone_and_in_a_batch_at_once_blocks_nobody(app, told, notification):
    """Android does: it posts an event, and again with those that came meanwhile."""
    told()
    for _ in range(10):
        one, other = opened(notification), opened(notification)

        def post(number, one=one, other=other):
            posts = ([one], [event(Seen()), other, one], [other])
            return record_events(app=app, install_uid="I-1", events=posts[number % 3])

        assert sum(at_once(6, post)) == 4  # the two, and each batch's own
    assert Open.objects.count() == 1
