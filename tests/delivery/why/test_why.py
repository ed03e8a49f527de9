"""Every reason there is, each from rows the engine itself made."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.commands.apps import create_app
from crm.commands.device_tokens import drop_tokens
from crm.commands.segments import WriteSegment, create_segment
from crm.errors import NotFound
from crm.models import Channel, ChannelSubscription, DeviceToken, Event
from delivery import dispatch, fanout
from delivery.audience import Audience, Devices
from delivery.commands.amend import cancel_notification, pause_sending
from delivery.models import Batch, CapTaken, Delivery, Occurrence, Open
from delivery.providers.contract import read_push_id
from delivery.targeting.resolve import reachable
from delivery.why.answer import why_install, why_user
from delivery.why.audience import judge_audience
from delivery.why.findings import Reason
from delivery.why.truth import Person

pytestmark = pytest.mark.django_db


def send(occurrence):
    list(fanout.plan_batches(occurrence.pk))
    while dispatch.deliver_next("bulk"):
        pass
    return occurrence.notification


@pytest.fixture
def why(app):
    """Give the reason, and the words, why an install did or did not get a notification."""

    def why(notification, install):
        found = why_install(notification, app=app, install_uid=install, now=timezone.now())
        return found.headline

    return why


GOLD = {
    "version": 1,
    "where": {"field": "attribute", "name": "plan", "op": "equals", "value": "gold"},
}


def test_a_push_the_device_told_of_is_confirmed(app, phones, sends, memory, why):
    token = phones.ring("one")
    memory()
    notification = send(sends.to_everyone())
    Open.objects.create(
        notification=notification, install=token.install, user_uid="one", opened_at=timezone.now()
    )

    found = why(notification, "one")

    assert found.reason is Reason.CONFIRMED
    assert "opened at" in found.said
    occurrence = notification.occurrences.get()
    assert read_push_id(found.evidence["pushId"]) == (occurrence.pk, token.pk)


def test_a_receipt_the_sdk_posted_is_a_confirmation_too(app, phones, sends, memory, why):
    phones.ring("one")
    memory()
    notification = send(sends.to_everyone())
    Event.objects.create(
        app=app,
        uuid="6f1b4e1e-7b0a-4d38-b7a3-9a4a1a4b8d01",
        install_uid="one",
        type="k.message.delivered",
        data={"type": 1, "id": notification.pk},
        happened_at=timezone.now(),
    )

    found = why(notification, "one")

    assert found.reason is Reason.CONFIRMED
    assert "delivered at" in found.said


def test_a_push_taken_by_the_provider_and_never_told_of(phones, sends, memory, why):
    phones.ring("one", transport="fcm")
    memory()

    found = why(send(sends.to_everyone()), "one")

    assert found.reason is Reason.UNCONFIRMED
    assert found.said.startswith("Google took it")
    assert found.evidence["verdict"] == "accepted"


def test_the_providers_own_words_are_the_reason(phones, sends, memory, why):
    phones.ring("one")
    memory({"apns-one": "rejected"})

    found = why(send(sends.to_everyone()), "one")

    assert found.reason is Reason.REJECTED
    line = Delivery.objects.get()
    assert found.evidence["providerReason"] == line.reason
    assert found.evidence["at"] == line.at


def test_a_push_the_cap_held_back_says_what_counted(app, phones, sends, memory, why):
    one = phones.ring("one").install
    memory()
    app.cap_pushes, app.cap_window = 2, timedelta(days=7)
    app.save()
    got = [send(sends.to_everyone()) for _ in range(2)]
    notification = send(sends.to_everyone())

    found = why(notification, "one")

    assert found.reason is Reason.CAPPED
    assert found.said == (
        "It was held back by the app's cap on bulk pushes: this device had had 2 pushes in 7 days"
        " already."
    )
    evidence = found.evidence
    assert (evidence["cap"], evidence["window"], evidence["verdict"]) == (2, "7 days", "capped")
    assert evidence["reason"] == "2 pushes in 7 days already"
    assert [slot["notification"] for slot in evidence["slots"]] == [n.pk for n in got]
    taken = CapTaken.objects.get(install_id=one.pk)
    assert [slot["at"] for slot in evidence["slots"]] == taken.taken_at
    assert [slot["occurrence"] for slot in evidence["slots"]] == taken.occurrence_ids


def test_a_cap_tells_only_of_what_counted_then_and_is_there_still(app, phones, sends, memory, why):
    phones.ring("one")
    memory()
    app.cap_pushes = 1
    app.save()
    gone, held_back = send(sends.to_everyone()), send(sends.to_everyone())
    app.cap_pushes = 2
    app.save()
    later = send(sends.to_everyone())

    [slot] = why(held_back, "one").evidence["slots"]
    assert slot["notification"] == gone.pk != later.pk
    gone.delete()
    assert why(held_back, "one").evidence["slots"] == []


def test_a_token_that_died_of_this_very_push(phones, sends, memory, why):
    phones.ring("one")
    memory({"apns-one": "unregistered"})

    assert why(send(sends.to_everyone()), "one").reason is Reason.UNREGISTERED


def test_the_outcome_is_found_when_the_token_is_long_gone(phones, sends, memory, why):
    phones.ring("one")
    memory()
    notification = send(sends.to_everyone())
    DeviceToken.objects.all().delete()

    found = why(notification, "one")

    assert found.reason is Reason.UNCONFIRMED
    assert found.evidence["transport"] == "of a token since deleted"


@pytest.mark.parametrize(
    ("state", "reason"), [("dead", Reason.DEAD), ("quarantined", Reason.QUARANTINED)]
)
def test_a_retired_token_says_since_when(phones, sends, memory, why, state, reason):  # noqa: PLR0917
    token = phones.ring("one")
    DeviceToken.objects.filter(pk=token.pk).update(state=state, state_reason="BadDeviceToken")
    memory()

    found = why(send(sends.to_everyone()), "one")

    assert found.reason is reason
    assert "BadDeviceToken" in found.said


def test_notifications_switched_off(phones, sends, memory, why):
    phones.ring("one").install.device_tokens.update(enabled=False)
    memory()

    assert why(send(sends.to_everyone()), "one").reason is Reason.DISABLED


def test_no_token(phones, sends, memory, why):
    phones.install("one")
    memory()

    assert why(send(sends.to_everyone()), "one").reason is Reason.NO_TOKEN


def test_a_token_of_another_transport(phones, sends, memory, why):
    phones.ring("one", transport="fcm")
    memory()
    only_apple = Audience(install_uids=("one",), devices=Devices(transports=("apns",)))

    assert why(send(sends.to(only_apple)), "one").reason is Reason.OTHER_TRANSPORT


def test_a_device_that_registered_after_the_audience_was_taken(phones, sends, memory, why):
    phones.ring("early")
    memory()
    notification = send(sends.to_everyone())
    phones.ring("late")

    found = why(notification, "late")

    assert found.reason is Reason.TOO_LATE
    assert found.evidence["audienceTakenAt"] <= found.evidence["registeredAt"]


def test_not_in_a_segment_names_the_condition_and_what_is_known(app, phones, sends, memory, why):
    user = phones.ring("one", user="mark").install.user
    user.attributes = {"plan": "silver"}
    user.save()
    segment = create_segment(app=app, ask=WriteSegment(name="Gold members", rule=GOLD))
    memory()

    found = why(send(sends.to(Audience(segment_ids=(segment.pk,)))), "one")

    assert found.reason is Reason.NOT_IN_AUDIENCE
    assert "whose plan is gold" in found.said
    assert found.evidence["broken"] == [{"condition": "whose plan is gold", "plan": "silver"}]


def test_left_out_by_a_tag(app, phones, sends, memory, why):
    user = phones.ring("one", user="mark").install.user
    user.tags = ["quiet"]
    user.save()
    memory()

    found = why(send(sends.to(Audience(everyone=True, except_tags=("quiet",)))), "one")

    assert found.reason is Reason.EXCLUDED
    assert "quiet" in found.said


def test_a_firing_that_has_not_come(phones, sends, why):
    phones.ring("one")
    occurrence = sends.to_everyone()
    Occurrence.objects.update(due_at=timezone.now() + timedelta(days=1))

    assert why(occurrence.notification, "one").reason is Reason.SCHEDULED


def test_one_that_was_cancelled_before(app, phones, sends, why):
    phones.ring("one")
    occurrence = sends.to_everyone()
    cancel_notification(app=app, notification_id=occurrence.notification_id)

    assert why(occurrence.notification, "one").reason is Reason.CANCELLED


def test_one_that_was_skipped(phones, sends, why):
    phones.ring("one")
    occurrence = sends.to_everyone()
    Occurrence.objects.update(state="skipped", finished_at=timezone.now())

    assert why(occurrence.notification, "one").reason is Reason.SKIPPED


def test_one_that_waits_says_what_for(app, phones, sends, memory, why):
    phones.ring("one")
    memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    pause_sending(app=app, notification_id=occurrence.notification_id)
    dispatch.deliver_next("bulk")

    found = why(occurrence.notification, "one")

    assert found.reason is Reason.WAITING
    assert "paused" in found.said
    assert found.evidence["batch"] == Batch.objects.get().pk


def test_another_zone_than_the_one_it_fired_in(phones, sends, memory, why):
    phones.ring("one").install.__class__.objects.update(timezone="Europe/Berlin")
    memory()
    occurrence = sends.to_everyone()
    Occurrence.objects.update(zone="Asia/Tokyo")
    occurrence.refresh_from_db()

    assert why(send(occurrence), "one").reason is Reason.OTHER_ZONE


def test_a_person_is_answered_for_on_all_devices(app, phones, sends, memory):
    phones.ring("one", user="mark")
    phones.install("two", user="mark")
    memory()
    notification = send(sends.to_everyone())

    found = why_user(notification, app=app, user_uid="mark", now=timezone.now())

    assert found.headline.reason is Reason.UNCONFIRMED
    told = {device.install.uid: [f.reason for f in device.findings] for device in found.devices}
    assert told == {"one": [Reason.UNCONFIRMED], "two": [Reason.NO_TOKEN]}


def test_somebody_without_any_device(app, phones, sends):
    user = phones.install("one", user="mark").user
    phones.install("one", user="anna")

    notification = sends.to_everyone().notification
    found = why_user(notification, app=app, user_uid=user.uid, now=timezone.now())

    assert found.headline.reason is Reason.NO_INSTALL


def test_another_apps_people_are_unknown(app, phones, sends):
    other = create_app(name="Other").app
    type(phones)(other).ring("theirs", user="mark")
    notification = sends.to_everyone().notification

    with pytest.raises(NotFound):
        why_user(notification, app=app, user_uid="mark", now=timezone.now())
    with pytest.raises(NotFound):
        why_install(notification, app=app, install_uid="theirs", now=timezone.now())


@pytest.fixture
def crowd(app, phones):
    """People in every mix of names, tags, channels and attributes there is to be told apart."""
    channels = [Channel.objects.create(app=app, uuid=name) for name in ("a", "b")]
    for number in range(12):
        install = phones.ring(f"i{number}", user=f"u{number % 8}").install
        user = install.user
        user.tags = [tag for bit, tag in enumerate(("x", "y", "z")) if number >> bit & 1]
        user.attributes = {"plan": "gold"} if number % 3 else {}
        user.external_user_id = number
        user.save()
        if number % 4 == 1:
            ChannelSubscription.objects.get_or_create(channel=channels[0], install=install)
        if number % 5 == 2:
            ChannelSubscription.objects.get_or_create(channel=channels[1], user=user)
    drop_tokens(phones.install("i11"), reason="unsubscribed")
    segment = create_segment(app=app, ask=WriteSegment(name="Gold", rule=GOLD))
    not_gold = {"version": 1, "where": {"not": GOLD["where"]}}
    other = create_segment(app=app, ask=WriteSegment(name="Other", rule=not_gold))
    return [c.pk for c in channels], [segment.pk, other.pk]


def some(*values):
    return st.lists(st.sampled_from(values), max_size=2).map(tuple)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_it_judges_exactly_as_a_send_does(app, crowd, data):
    """Whoever a send finds is judged to be in, and nobody else."""
    channels, segments = crowd
    said = {
        "everyone": st.sampled_from([False, False, False, True]),
        "install_uids": some("i1", "i5", "nobody"),
        "user_uids": some("u2", "u3", "nobody"),
        "external_ids": some("3", "u4", "007"),
        "channel_ids": some(*channels),
        "segment_ids": some(*segments, 10**6),
        "any_tags": some("x", "y"),
        "all_tags": some("y", "z"),
        "except_install_uids": some("i1", "i2"),
        "except_tags": some("z", "none"),
    }
    named = {name: data.draw(strategy, label=name) for name, strategy in said.items()}
    names = {k: v for k, v in named.items() if k != "except_install_uids"}
    if not any(names.values()):
        return
    audience, now = Audience(**named), timezone.now()

    sql, params = reachable(audience, app_id=app.pk, now=now)
    found = {token.pk for token in DeviceToken.objects.raw(f"SELECT id FROM ({sql}) a", params)}

    for token in DeviceToken.objects.reachable().select_related("install__user"):
        person = Person(user=token.install.user, install=token.install, now=now)
        assert judge_audience(audience, person).holds is (token.pk in found), token.install.uid
