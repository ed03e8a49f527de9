from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm.models import Channel, ChannelSubscription, Install, Segment, User
from delivery import dispatch, fanout
from delivery.audience import Audience, Devices
from delivery.commands.send import SendNotification, send_notification
from delivery.message import InAppMessage
from delivery.models import Batch, InboxItem, Notification, Occurrence, ProviderCredential

pytestmark = pytest.mark.django_db

IPHONES = {"version": 1, "where": {"field": "platform", "op": "equals", "value": "ios"}}


def plan(occurrence):
    pages = list(fanout.plan_batches(occurrence.pk))
    occurrence.refresh_from_db()
    return pages


def test_a_broadcast_is_sliced_into_batches_of_the_set_size(phones, sends, settings):
    settings.BATCH_SIZE = 3
    tokens = phones.many(7)
    occurrence = sends.to_everyone()

    assert plan(occurrence) == [3]

    sizes = [len(b.token_ids) for b in Batch.objects.order_by("id")]
    assert sorted(sizes) == [1, 3, 3]
    assert sorted(i for b in Batch.objects.all() for i in b.token_ids) == [t.pk for t in tokens]
    assert occurrence.targeted == occurrence.pending == 7
    assert occurrence.state == Occurrence.State.SENDING


def test_pages_are_planned_one_after_another_until_the_audience_ends(phones, sends, settings):
    settings.PLAN_PAGE = 4
    tokens = phones.many(10)
    occurrence = sends.to_everyone()

    assert plan(occurrence) == [1, 1, 1]

    assert occurrence.targeted == 10
    assert occurrence.cursor == tokens[-1].pk


def test_outcomes_recorded_while_later_pages_are_planned_stay_counted(
    phones, sends, settings, memory
):
    settings.PLAN_PAGE, settings.BATCH_SIZE = 4, 2
    memory()
    phones.many(9)
    occurrence = sends.to_everyone()
    pages = fanout.plan_batches(occurrence.pk)
    while next(pages, None) or dispatch.deliver_next("bulk"):
        while dispatch.deliver_next("bulk"):
            pass
    occurrence.refresh_from_db()
    assert (occurrence.targeted, occurrence.accepted, occurrence.pending) == (9, 9, 0)


def test_an_audience_that_ends_with_a_page_is_not_planned_twice(phones, sends, settings):
    settings.PLAN_PAGE = 5
    phones.many(10)
    occurrence = sends.to_everyone()

    plan(occurrence)

    assert occurrence.targeted == 10
    assert sum(len(b.token_ids) for b in Batch.objects.all()) == 10


def test_a_batch_never_mixes_providers_topics_or_environments(phones, sends, app):
    phones.many(2)
    phones.many(2, transport="fcm")
    sandboxed = phones.ring("sandboxed")
    type(sandboxed).objects.filter(pk=sandboxed.pk).update(environment="sandbox")
    other = phones.ring("other")
    type(other).objects.filter(pk=other.pk).update(topic="com.example.other")

    plan(sends.to_everyone())

    assert Batch.objects.count() == 4
    assert {(b.transport, b.environment, b.topic) for b in Batch.objects.all()} == {
        ("apns", "production", "com.example.app"),
        ("apns", "sandbox", "com.example.app"),
        ("apns", "production", "com.example.other"),
        ("fcm", "production", ""),
    }


def test_the_most_particular_credential_is_chosen(phones, sends, credentials, app):
    particular = ProviderCredential.objects.create(
        app=app, provider="apns", kind="key", sealed=b"", topic="com.example.app"
    )
    phones.ring("a")
    phones.ring("b", transport="fcm")

    plan(sends.to_everyone())

    chosen = {b.transport: b.credential for b in Batch.objects.all()}
    assert chosen == {"apns": particular, "fcm": credentials["fcm"]}


def test_planning_twice_plans_once(phones, sends):
    phones.many(3)
    occurrence = sends.to_everyone()
    plan(occurrence)

    assert plan(occurrence) == []
    assert Batch.objects.count() == 1


def test_a_planner_that_vanished_is_followed_from_its_cursor(phones, sends, settings):
    settings.PLAN_PAGE = 4
    phones.many(10)
    occurrence = sends.to_everyone()
    pages = fanout.plan_batches(occurrence.pk)
    next(pages)
    pages.close()  # vanished after the first page
    assert plan(occurrence) == []  # its lease still holds

    Occurrence.objects.update(lease_until=occurrence.due_at)

    assert plan(occurrence) == [1, 1]
    planned = [i for b in Batch.objects.all() for i in b.token_ids]
    assert len(planned) == len(set(planned)) == 10 == occurrence.targeted


def test_a_broadcast_has_started_when_its_first_planner_took_it_up(phones, sends, settings):
    settings.PLAN_PAGE = 2
    phones.many(3)
    occurrence = sends.to_everyone()
    next(fanout.plan_batches(occurrence.pk))
    occurrence.refresh_from_db()
    started_at = occurrence.started_at

    assert fanout.put_off(occurrence.pk)
    plan(occurrence)

    assert occurrence.state == Occurrence.State.SENDING
    assert occurrence.started_at == started_at


def test_an_audience_of_nobody_finishes_at_once(sends):
    occurrence = sends.to(Audience(user_uids=("nobody",)))

    assert plan(occurrence) == []

    assert occurrence.state == Occurrence.State.FINISHED
    assert occurrence.targeted == 0


def test_an_occurrence_before_its_time_is_left_alone(phones, sends):
    phones.ring("a")
    occurrence = sends.to_everyone()
    Occurrence.objects.update(due_at=occurrence.expires_at)

    assert plan(occurrence) == []
    assert occurrence.state == Occurrence.State.DUE


def test_a_firing_that_cannot_be_planned_is_tried_until_its_time_is_over(phones, sends):
    phones.ring("one")
    occurrence = sends.to_everyone()
    Notification.objects.update(audience={"of_a_later_version": True})

    with pytest.raises(TypeError):
        plan(occurrence)
    occurrence.refresh_from_db()
    assert occurrence.state == Occurrence.State.PLANNING

    past = timezone.now() - timedelta(seconds=1)
    Occurrence.objects.update(lease_until=past, expires_at=past)
    assert plan(occurrence) == []
    assert (occurrence.state, occurrence.pending) == (Occurrence.State.FINISHED, 0)


def test_an_audience_of_many_pages_is_looked_up_once_and_planned_whole(phones, sends, settings):
    settings.PLAN_PAGE = 4
    settings.BATCH_SIZE = 3
    tokens = phones.many(10)
    phones.ring("not named")
    uids = tuple(t.install.uid for t in tokens)
    occurrence = sends.to(Audience(install_uids=uids))

    plan(occurrence)

    planned = sorted(i for b in Batch.objects.all() for i in b.token_ids)
    assert planned == [t.pk for t in tokens]
    assert occurrence.targeted == 10


def test_a_call_that_names_many_has_them_looked_up_once(phones, sends, settings):
    settings.PLAN_PAGE, settings.URGENT_AUDIENCE = 3, 1
    names = tuple(t.install.uid for t in phones.many(9))
    occurrence = sends.to(Audience(install_uids=names))

    with CaptureQueriesContext(connection) as asked:
        plan(occurrence)

    assert sum(names[0] in query["sql"] for query in asked.captured_queries) == 1
    assert occurrence.targeted == 9


def test_two_large_audiences_one_after_the_other_do_not_meet(phones, sends, settings):
    settings.PLAN_PAGE = 2
    tokens = phones.many(10)
    for part in (tokens[:5], tokens[5:]):
        occurrence = sends.to(Audience(install_uids=tuple(t.install.uid for t in part)))
        plan(occurrence)
        batches = Batch.objects.filter(occurrence=occurrence)
        assert sorted(i for b in batches for i in b.token_ids) == [t.pk for t in part]


def test_a_planner_that_stopped_between_pages_goes_on_at_the_cursor(phones, sends, settings):
    settings.PLAN_PAGE = 3
    tokens = phones.many(9)
    occurrence = sends.to(Audience(install_uids=tuple(t.install.uid for t in tokens)))
    planning = fanout.plan_batches(occurrence.pk)
    next(planning)
    planning.close()  # as a killed worker would leave it
    Occurrence.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    plan(occurrence)

    assert sorted(i for b in Batch.objects.all() for i in b.token_ids) == [t.pk for t in tokens]
    assert occurrence.targeted == 9


@pytest.mark.parametrize("unless", ["", "apns_voip"])
def test_a_broadcast_to_some_devices_is_planned_page_by_page(phones, sends, settings, unless):
    settings.PLAN_PAGE = 3
    tokens = phones.many(7)
    phones.many(5, transport="fcm")
    called = phones.subscribe("mark")
    phones.subscribe("mark", transport="apns_voip")
    phones.subscribe("anna", environment="sandbox")
    devices = Devices(transports=("apns",), environment="production", unless_transport=unless)

    plan(sends.to(Audience(everyone=True, devices=devices)))

    wanted = tokens if unless else [*tokens, called]
    assert sorted(i for b in Batch.objects.all() for i in b.token_ids) == [t.pk for t in wanted]


def test_everybody_but_the_tagged_is_planned_page_by_page(phones, sends, settings):
    settings.PLAN_PAGE = 3
    tokens = phones.many(8)
    for token in tokens[::2]:
        User.objects.filter(pk=token.install.user_id).update(tags=["quiet"])

    plan(sends.to(Audience(except_tags=("quiet",))))

    planned = sorted(i for b in Batch.objects.all() for i in b.token_ids)
    assert planned == [t.pk for t in tokens[1::2]]


@pytest.fixture
def in_app(app):
    def send(audience, **said):
        notification = send_notification(
            SendNotification(
                app=app,
                source=Notification.Source.KUMULOS,
                message=InAppMessage(template_uid="t", content={}),
                audience=audience,
                **said,
            )
        )
        occurrence = notification.occurrences.get()
        assert list(fanout.plan_batches(occurrence.pk)) == []
        occurrence.refresh_from_db()
        return occurrence

    return send


def inboxes():
    return sorted(InboxItem.objects.values_list("user__uid", flat=True))


def test_an_in_app_message_goes_into_every_inbox_once(phones, in_app, settings):
    settings.PLAN_PAGE = 2
    phones.ring("a", user="mark")
    phones.install("b", user="mark")
    phones.install("c")
    User.objects.create(app=phones.app, uid="known by name")
    User.objects.create(app=phones.app, uid="nobody's any more", anonymous=True)

    occurrence = in_app(Audience(everyone=True))

    assert inboxes() == ["c", "known by name", "mark"]
    assert (occurrence.targeted, occurrence.accepted, occurrence.pending) == (3, 3, 0)
    assert occurrence.state == Occurrence.State.FINISHED


def test_whoever_refused_in_app_messages_gets_none(phones, in_app):
    phones.install("a", user="mark")
    phones.install("b", user="anna")
    User.objects.filter(uid="mark").update(in_app_enabled=False)

    in_app(Audience(user_uids=("mark", "anna", "nobody")))

    assert inboxes() == ["anna"]


def test_each_inbox_has_its_users_own_values(phones, in_app):
    phones.install("a", user="mark")
    phones.install("b", user="anna")

    in_app(Audience(install_uids=("a", "b")), user_meta={"mark": {"name": "Mark"}})

    values = dict(InboxItem.objects.values_list("user__uid", "values"))
    assert values == {"mark": {"name": "Mark"}, "anna": {}}


def test_segments_and_channels_meet_on_the_same_device(phones, sends, app):
    gold = Segment.objects.create(app=app, name="iPhones", rule=IPHONES)
    channel = Channel.objects.create(app=app, uuid="news")
    wanted = phones.ring("phone of mark", user="mark")
    phones.ring("tablet of mark", user="mark")
    phones.ring("phone of anna", user="anna")
    Install.objects.filter(uid__startswith="phone").update(os="iOS")
    ChannelSubscription.objects.create(channel=channel, user=wanted.install.user)
    extra = phones.ring("extra")

    both = {"channel_ids": (channel.pk,), "segment_ids": (gold.pk,)}
    occurrence = sends.to(Audience(**both, install_uids=("extra",)))
    plan(occurrence)
    assert sorted(i for b in Batch.objects.all() for i in b.token_ids) == [wanted.pk, extra.pk]

    without = sends.to(Audience(**both, except_install_uids=("phone of mark",)))
    plan(without)
    assert without.targeted == 0


def test_a_segment_that_is_gone_reaches_nobody(phones, sends):
    phones.ring("a")
    occurrence = sends.to(Audience(segment_ids=(12345,)))

    plan(occurrence)

    assert occurrence.targeted == 0
