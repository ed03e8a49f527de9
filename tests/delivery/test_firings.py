"""When a notification fires: once, or once in each zone its app's devices live in."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from crm.commands.installs import TrackInstall, change_install
from crm.models import Install
from delivery import fanout, firings
from delivery.audience import Audience
from delivery.commands.amend import cancel_notification, edit_notification
from delivery.commands.send import SendNotification, send_notification
from delivery.firings import welcome_zones
from delivery.message import Message
from delivery.models import Batch, Notification, Occurrence
from delivery.schedule import Past, Schedule
from delivery.scheduling.claims import find_waiting
from delivery.targeting.zones import zones_of
from delivery.tasks import fan_out

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def live(phones):
    """Give a device that says where it is."""

    def live(uid, zone, **options):
        token = phones.ring(uid, **options)
        token.install.refresh_from_db()
        move(token.install, zone)
        return token

    return live


def move(install, zone):
    change_install(install, TrackInstall(timezone=zone))
    install.save()


@pytest.fixture
def ask(app):
    def send(wall_clock, *, past=Past.IGNORE, audience=None, **said):
        return send_notification(
            SendNotification(
                app=app,
                source=Notification.Source.KUMULOS,
                message=Message(title="Hello", body="World"),
                audience=audience or Audience(everyone=True),
                schedule=Schedule(wall_clock=wall_clock, past=past, **said),
            )
        )

    return send


def naive(moment):
    return moment.astimezone(UTC).replace(tzinfo=None, second=0, microsecond=0)


def fire_now(occurrence):
    """Plan a firing as if its moment had come, and give the tokens it is for."""
    moment = timezone.now() - timedelta(seconds=1)
    Occurrence.objects.filter(pk=occurrence.pk).update(due_at=moment)
    list(fanout.plan_batches(occurrence.pk))
    occurrence.refresh_from_db()
    batches = Batch.objects.filter(occurrence=occurrence)
    return sorted(i for b in batches for i in b.token_ids)


def zone(notification, name):
    return notification.occurrences.get(zone=name)


def test_a_local_send_has_one_firing_in_each_zone_of_its_app(live, ask):
    for uid, name in [("a", "Europe/Berlin"), ("b", "Europe/Berlin"), ("c", "Asia/Kathmandu")]:
        live(uid, name)
    live("d", "")

    notification = ask(datetime(2099, 7, 1, 9, 30))

    due = dict(notification.occurrences.values_list("zone", "due_at"))
    assert due == {
        "Europe/Berlin": datetime(2099, 7, 1, 7, 30, tzinfo=UTC),
        "Asia/Kathmandu": datetime(2099, 7, 1, 3, 45, tzinfo=UTC),
        "UTC": datetime(2099, 7, 1, 9, 30, tzinfo=UTC),
    }


def test_each_firing_is_for_the_devices_of_its_zone(live, ask):
    berlin, utc = live("a", "Europe/Berlin"), live("b", "UTC")
    nowhere = live("c", "", transport="fcm")
    notification = ask(naive(timezone.now() + 48 * HOUR))

    assert fire_now(zone(notification, "Europe/Berlin")) == [berlin.pk]
    assert fire_now(zone(notification, "UTC")) == sorted([utc.pk, nowhere.pk])


def test_zones_whose_time_is_past_are_ignored_or_moved_to_the_next_day(live, ask):
    live("a", "Pacific/Kiritimati")  # 14 hours ahead
    live("b", "Etc/GMT+12")
    now = timezone.now()
    wall = naive(now)  # an hour long past in Kiritimati, still to come far in the west

    ignored = ask(wall, past=Past.IGNORE)
    moved = ask(wall, past=Past.NEXT_DAY)

    assert {o.zone for o in ignored.occurrences.all()} == {"Etc/GMT+12"}
    due = dict(moved.occurrences.values_list("zone", "due_at"))
    assert due["Etc/GMT+12"] == wall.replace(tzinfo=UTC) + 12 * HOUR
    assert due["Pacific/Kiritimati"] == wall.replace(tzinfo=UTC) + 10 * HOUR
    assert now - timedelta(minutes=1) <= due["UTC"] <= now + 25 * HOUR


def test_whoever_moves_to_a_zone_still_to_fire_is_sent_to_there_and_once(live, ask):
    stays, moves = live("stays", "Europe/Berlin"), live("moves", "Europe/Berlin")
    live("west", "America/New_York")
    notification = ask(naive(timezone.now() + 48 * HOUR))

    assert fire_now(zone(notification, "Europe/Berlin")) == sorted([stays.pk, moves.pk])
    move(Install.objects.get(uid="moves"), "America/New_York")

    assert moves.pk not in fire_now(zone(notification, "America/New_York"))


def test_whoever_moves_before_anything_fires_is_sent_to_where_they_are_then(live, ask):
    live("stays", "Europe/Berlin")
    moves = live("moves", "Europe/Berlin")
    live("west", "America/New_York")
    notification = ask(naive(timezone.now() + 48 * HOUR))

    move(Install.objects.get(uid="moves"), "America/New_York")

    assert moves.pk not in fire_now(zone(notification, "Europe/Berlin"))
    assert moves.pk in fire_now(zone(notification, "America/New_York"))


def test_a_zone_nobody_was_in_has_a_firing_as_soon_as_somebody_is(live, ask):
    live("a", "Europe/Berlin")
    notification = ask(naive(timezone.now() + 48 * HOUR))
    new = live("b", "Asia/Tokyo")

    assert welcome_zones(now=timezone.now()) == 1
    assert welcome_zones(now=timezone.now()) == 0

    assert fire_now(zone(notification, "Asia/Tokyo")) == [new.pk]


def test_a_zone_found_after_its_time_has_missed_it(live, ask):
    live("a", "Etc/GMT+12")
    notification = ask(naive(timezone.now() - HOUR))
    live("b", "Europe/London")

    welcome_zones(now=timezone.now())

    assert {o.zone for o in notification.occurrences.all()} == {"Etc/GMT+12"}


def test_a_zone_found_while_the_send_is_cancelled_or_edited_has_no_firing(
    live, ask, app, monkeypatch
):
    live("a", "Europe/Berlin")
    cancelled, edited = (ask(naive(timezone.now() + 48 * HOUR)) for _ in range(2))
    again = SendNotification(
        app=app,
        source=Notification.Source.KUMULOS,
        message=Message(title="Hello", body="World"),
        audience=Audience(everyone=True),
        schedule=Schedule(at=timezone.now() + 72 * HOUR),
    )

    def find(app_id):
        monkeypatch.undo()
        cancel_notification(app=app, notification_id=cancelled.pk)
        edit_notification(again, notification_id=edited.pk)
        return zones_of(app_id)

    monkeypatch.setattr(firings, "zones_of", find)
    live("b", "Asia/Tokyo")

    assert welcome_zones(now=timezone.now()) == 0
    assert {o.state for o in cancelled.occurrences.all()} == {"cancelled"}
    assert [o.zone for o in edited.occurrences.all()] == [""]


def test_zones_are_looked_for_until_the_day_has_ended_everywhere(live, ask):
    live("a", "Europe/Berlin")
    notification = ask(naive(timezone.now() + HOUR))
    live("b", "Asia/Tokyo")

    assert notification.zones_open_until > timezone.now() + 13 * HOUR
    assert welcome_zones(now=notification.zones_open_until) == 0


def test_a_zone_fired_too_late_is_skipped(live, ask, settings):
    settings.LOCAL_SKIP_AFTER = HOUR
    live("a", "Europe/Berlin")
    notification = ask(naive(timezone.now() + 48 * HOUR))
    berlin = zone(notification, "Europe/Berlin")
    assert berlin.latest_start_at == berlin.due_at + HOUR
    moment = timezone.now() - 2 * HOUR
    notification.occurrences.filter(pk=berlin.pk).update(
        due_at=moment, latest_start_at=moment + HOUR
    )

    [(found, lane)] = find_waiting(now=timezone.now(), at_most=9).occurrences
    fan_out(found, lane)

    berlin.refresh_from_db()
    assert (berlin.state, berlin.targeted) == (Occurrence.State.SKIPPED, 0)
    assert find_waiting(now=timezone.now(), at_most=9).occurrences == []


def test_a_firing_may_say_itself_how_late_it_may_be(live, ask):
    live("a", "Europe/Berlin")

    notification = ask(naive(timezone.now() + 48 * HOUR), skip_after=timedelta(seconds=90))

    berlin = zone(notification, "Europe/Berlin")
    assert berlin.latest_start_at == berlin.due_at + timedelta(seconds=90)


def test_a_send_at_once_is_never_too_late(sends, phones):
    token = phones.ring("a")
    occurrence = sends.to_everyone(time_to_live=timedelta(days=2))

    occurrence.due_at = timezone.now() - timedelta(days=1)
    occurrence.save()

    assert fire_now(occurrence) == [token.pk]
