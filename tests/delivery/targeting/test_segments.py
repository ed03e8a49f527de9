from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from crm.commands.apps import create_app
from crm.commands.installs import recognise_user
from crm.models import Segment, User
from crm.segments.rules import BadRule, parse
from delivery.audience import Audience
from delivery.models import Delivery, Occurrence, Open
from delivery.targeting.resolve import reachable
from delivery.targeting.segments import Counts, count, members

pytestmark = pytest.mark.django_db

EVERYBODY = {"not": {"field": "tag", "op": "equals", "value": "nobody's"}}
GOLD = {"field": "attribute", "name": "plan", "op": "equals", "value": "gold"}
IOS = {"field": "platform", "op": "equals", "value": "ios"}


def opened(notification_id):
    return {"field": "opened", "op": "equals", "value": notification_id}


def received(days):
    return {"field": "received", "op": "within_days", "value": days}


def rule_of(where):
    return {"version": 1, "where": where}


def paid(uid, plan):
    User.objects.filter(uid=uid).update(attributes={"plan": plan})


@pytest.fixture
def segment(app):
    def named(where, *, owner=app):
        name = f"segment {Segment.objects.count()}"
        return Segment.objects.create(app=owner, name=name, rule=rule_of(where)).pk

    return named


@pytest.fixture
def found(app):
    """Give who is in any of some segments, as (user uid, install uid)."""

    def pairs(*segment_ids):
        sql, params = members(segment_ids, app_id=app.pk, now=timezone.now())
        with connection.cursor() as cursor:
            cursor.execute(
                f"""SELECT DISTINCT u.uid, i.uid FROM ({sql}) m JOIN crm_user u ON u.id = m.user_id
                      LEFT JOIN crm_install i ON i.id = m.install_id""",
                params,
            )
            return sorted(cursor.fetchall(), key=str)

    return pairs


@pytest.fixture
def told(app):
    def counts(where):
        return count(parse(rule_of(where)), app_id=app.pk, now=timezone.now())

    return counts


def accepted(occurrence, token, *, days_ago=0, verdict="accepted"):
    """Write into the ledger what a worker would have, some days ago."""
    at = timezone.now() - timedelta(days=days_ago)
    Occurrence.objects.filter(pk=occurrence.pk).update(ledger_day=at.date(), finished_at=at)
    Delivery.objects.create(
        day=at.date(),
        occurrence_id=occurrence.pk,
        token_id=token.pk,
        install_id=token.install_id,
        verdict=verdict,
        at=at,
    )


def test_several_segments_are_their_union(phones, segment, found):
    phones.install("one", user="mark")
    phones.install("two", user="anna")
    phones.install("three", user="carl")
    paid("mark", "gold")
    paid("anna", "free")
    free = segment({**GOLD, "value": "free"})
    assert found(segment(GOLD), free, free) == [("anna", "two"), ("mark", "one")]


def test_what_is_said_of_people_and_of_installs_holds_for_the_same_pair(phones, segment, found):
    phones.install("phone", user="mark")
    tablet = phones.install("tablet", user="mark")
    paid("mark", "gold")
    tablet.os = "iOS"
    tablet.save()
    assert found(segment({"all": [GOLD, IOS]})) == [("mark", "tablet")]


def test_somebody_without_installs_belongs_and_nothing_is_true_of_their_install(
    app, phones, segment, found
):
    recognise_user(app=app, uid="mark")
    assert found(segment(EVERYBODY)) == [("mark", None)]
    assert found(segment(IOS)) == []
    assert found(segment({"not": IOS})) == [("mark", None)]


def test_an_anonymous_user_ends_with_the_first_to_sign_in(phones, segment, found):
    phones.install("one")
    assert found(segment(EVERYBODY)) == [("one", "one")]
    phones.install("one", user="mark")
    assert found(segment(EVERYBODY)) == [("mark", "one")]


def test_a_segment_that_is_gone_has_no_members(phones, segment, found):
    phones.install("one")
    assert found() == []
    assert found(10**6) == []
    assert found(10**6, segment(EVERYBODY)) == [("one", "one")]


def test_another_apps_people_and_segments_are_out_of_reach(phones, segment, found, told):
    other = create_app(name="Other").app
    type(phones)(other).ring("one", user="mark")
    assert found(segment(EVERYBODY, owner=other)) == []
    assert found(segment(EVERYBODY)) == []
    assert told(EVERYBODY) == Counts(0, 0, 0)


def test_one_query_reads_the_rules_and_none_is_run(app, segment, django_assert_num_queries):
    ids = [segment(GOLD), segment(EVERYBODY)]
    with django_assert_num_queries(1):
        members(ids, app_id=app.pk, now=timezone.now())


def test_a_rule_nobody_can_follow_is_no_empty_segment(app, segment):
    broken = segment({"field": "shoe size"})
    with pytest.raises(BadRule):
        members([broken], app_id=app.pk, now=timezone.now())


def test_an_open_counts_for_the_install_and_for_the_user(phones, sends, segment, found):
    occurrence = sends.to_everyone()
    phones.install("one", user="mark")
    tapped = phones.install("two", user="mark")
    phones.install("three", user="anna")
    opens = segment(opened(occurrence.notification_id))
    assert found(opens) == []
    Open.objects.create(
        notification=occurrence.notification,
        install=tapped,
        user_uid="mark",
        opened_at=timezone.now(),
    )
    assert found(opens) == [("mark", "one"), ("mark", "two")]
    assert found(segment({"not": opened(occurrence.notification_id)})) == [("anna", "three")]
    phones.install("two", user="carl")
    assert found(opens) == [("carl", "two"), ("mark", "one")]
    assert found(segment(opened(occurrence.notification_id + 1))) == []


def test_opens_of_another_apps_notification_tell_nothing(phones, sends, segment, found):
    other = create_app(name="Other").app
    theirs = type(sends)(other).to_everyone().notification
    install = phones.install("one", user="mark")
    Open.objects.create(
        notification=theirs, install=install, user_uid="mark", opened_at=timezone.now()
    )
    assert found(segment(opened(theirs.pk))) == []


def test_a_push_is_received_when_a_provider_accepted_it_within_the_days(
    phones, sends, segment, found
):
    new, old, refused = (phones.ring(uid) for uid in ("new", "old", "refused"))
    phones.ring("none")
    accepted(sends.to_everyone(), new, days_ago=1)
    accepted(sends.to_everyone(), old, days_ago=5)
    accepted(sends.to_everyone(), refused, verdict="rejected")
    assert found(segment(received(2))) == [("new", "new")]
    assert found(segment(received(7))) == [("new", "new"), ("old", "old")]
    missed = segment({"not": received(2)})
    assert found(missed) == [(uid, uid) for uid in ("none", "old", "refused")]


def test_an_outcome_later_than_the_day_it_was_due_is_found(phones, sends, segment, found):
    token, occurrence = phones.ring("one"), sends.to_everyone()
    accepted(occurrence, token)
    due = timezone.now() - timedelta(days=20)
    Occurrence.objects.filter(pk=occurrence.pk).update(ledger_day=due.date())
    Delivery.objects.filter(occurrence_id=occurrence.pk).update(day=due.date())
    assert found(segment(received(1))) == [("one", "one")]


def test_a_connectycube_device_receives_for_itself(phones, sends, segment, found):
    phones.install("tablet", user="mark")
    token = phones.subscribe("mark")
    accepted(sends.to_everyone(), token)
    assert found(segment(received(1))) == [("mark", token.install.uid)]


def test_people_installs_and_reachable_devices_are_counted_once(app, phones, told):
    phones.ring("one", user="mark")
    phones.ring("two", user="mark")
    phones.ring("muted", user="anna").install.device_tokens.update(enabled=False)
    phones.ring("calls").install.device_tokens.update(transport="apns_voip")
    phones.subscribe("carl")
    recognise_user(app=app, uid="nobody's phone")
    assert told(EVERYBODY) == Counts(users=5, installs=5, reachable=3)
    assert told(GOLD) == Counts(0, 0, 0)


def test_counting_is_one_query(told, django_assert_num_queries):
    with django_assert_num_queries(1):
        told({"all": [GOLD, opened(1), received(3)]})


def test_a_send_reaches_as_many_as_were_counted(app, phones, segment, told):
    for token, uid in zip(phones.many(3), ("mark", "anna", "carl"), strict=True):
        phones.install(token.install.uid, user=uid)
        paid(uid, "free" if uid == "carl" else "gold")
    sql, params = reachable(
        Audience(segment_ids=(segment(GOLD),)), app_id=app.pk, now=timezone.now()
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert len(cursor.fetchall()) == told(GOLD).reachable == 2
