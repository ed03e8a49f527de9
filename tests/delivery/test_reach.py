"""Whom an audience reaches, counted as a send would find them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from crm.commands.apps import create_app
from crm.hurry import TookTooLong, within
from crm.models import Segment, User
from delivery import dispatch, fanout
from delivery.audience import Audience
from delivery.reach import Way, over_cap, reach
from delivery.targeting.resolve import reachable
from tests.conftest import TOPIC, Phones

pytestmark = pytest.mark.django_db


def now():
    return timezone.now()


@pytest.fixture
def town(phones):
    """Six installs of five people; one device of each fate."""
    phones.ring("ios", user="ann")
    phones.ring("droid", user="ann", transport="fcm")
    for uid, changes in {
        "off": {"enabled": False},
        "doubt": {"state": "quarantined"},
        "gone": {"state": "dead"},
    }.items():
        token = phones.ring(uid, user=uid)
        type(token).objects.filter(pk=token.pk).update(**changes)
    phones.install("mute", user="mute")
    stranger = Phones(create_app(name="Other").app)
    stranger.ring("theirs", user="ann")
    return phones


def test_everyone_is_counted_with_what_keeps_the_rest_from_being_reached(app, town):
    found = reach(Audience(everyone=True), app_id=app.pk, now=now())
    assert (found.users, found.installs, found.devices) == (5, 6, 2)
    assert found.unreached == {"no_token": 1, "disabled": 1, "quarantined": 1, "dead": 1}
    assert found.ways == {Way("apns", "production", TOPIC): 1, Way("fcm", "production", ""): 1}
    assert found.zones == {"UTC": 2}
    assert sum(found.platforms.values()) == 2


def test_named_people_count_once_and_those_without_an_install_apart(app, town):
    User.objects.create(app=app, uid="homeless")
    audience = Audience(user_uids=("ann", "homeless"), install_uids=("ios", "theirs"))
    found = reach(audience, app_id=app.pk, now=now())
    assert (found.users, found.homeless, found.installs, found.devices) == (2, 1, 2, 2)


def test_who_is_left_out_by_a_tag_is_named_and_not_reached(app, town):
    User.objects.filter(app=app, uid="ann").update(tags=["vip"])
    found = reach(Audience(everyone=True, except_tags=("vip",)), app_id=app.pk, now=now())
    assert found.devices == 0
    assert found.unreached["left_out"] == 2


def test_a_count_is_what_a_send_would_plan(app, town):
    rule = {"version": 1, "where": {"field": "user", "op": "equals", "value": "ann"}}
    segment = Segment.objects.create(app=app, name="Ann", rule=rule)
    audience = Audience(segment_ids=(segment.pk,), except_install_uids=("droid",))
    found = reach(audience, app_id=app.pk, now=now())
    sql, params = reachable(audience, app_id=app.pk, now=now())
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert found.devices == len(cursor.fetchall()) == 1


def test_a_question_that_takes_too_long_is_given_up():
    with pytest.raises(TookTooLong), within(timedelta(milliseconds=50)):  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_who_would_be_held_back_by_the_cap_now(app, town, memory, sends):
    everyone = Audience(everyone=True)
    assert over_cap(everyone, app=app, now=now()) == 0
    app.cap_pushes = 1
    app.save()
    memory()
    list(fanout.plan_batches(sends.to(Audience(install_uids=("ios",))).pk))
    assert dispatch.deliver_next("bulk")

    assert over_cap(everyone, app=app, now=now()) == 1
    assert over_cap(Audience(install_uids=("droid",)), app=app, now=now()) == 0
    assert over_cap(everyone, app=app, now=now() + timedelta(hours=24)) == 0
    app.cap_pushes = 2
    assert over_cap(everyone, app=app, now=now()) == 0
    app.cap_pushes = None
    assert over_cap(everyone, app=app, now=now()) == 0
