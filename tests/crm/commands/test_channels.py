"""Channels and who is in them, where several speak at once."""

from threading import Event
from time import sleep

import pytest
from django.db import transaction

from crm.commands.channels import (
    UuidTaken,
    change_channel,
    create_channel,
    delete_channel,
    find_channel,
)
from crm.commands.subscriptions import (
    Caller,
    Subscribers,
    join_channels,
    leave_channels,
    list_channels,
    replace_channels,
    subscribe,
    unsubscribe,
)
from crm.errors import Invalid, NotFound
from crm.models import Channel, ChannelSubscription, User
from tests.at_once import at_once

pytestmark = pytest.mark.django_db


def test_a_channel_that_is_gone_can_be_neither_changed_nor_joined(app, phones):
    channel = create_channel(app=app, uuid="a")
    phones.install("i")
    delete_channel(channel)
    delete_channel(Channel(pk=channel.pk, app=app))
    with pytest.raises(NotFound):
        change_channel(Channel(pk=12345, app=app), name="A")
    with pytest.raises(NotFound):
        subscribe(Channel(pk=12345, app=app), Subscribers(install_uids=["i"]))
    with pytest.raises(NotFound):
        find_channel(app=app, name="a")


def test_a_refused_change_leaves_the_row_as_it_was(app):
    create_channel(app=app, uuid="a")
    other = create_channel(app=app, uuid="b", name="B", show_in_portal=True)
    with pytest.raises(UuidTaken):
        change_channel(other, uuid="a", name="A")
    with pytest.raises(Invalid):
        change_channel(other, name="")
    kept = Channel.objects.get(pk=other.pk)
    assert (kept.uuid, kept.name) == ("b", "B")


def test_a_subscription_keeps_its_first_moment(app, phones):
    phones.install("i")
    channel = create_channel(app=app, uuid="a")
    subscribe(channel, Subscribers(install_uids=["i"]))
    ChannelSubscription.objects.update(created_at="2020-01-01T00:00:00Z")
    subscribe(channel, Subscribers(install_uids=["i"]))
    assert ChannelSubscription.objects.get().created_at.year == 2020


@pytest.mark.django_db(transaction=True)
def test_one_of_two_channels_made_at_once_gets_the_uuid(app):
    ends = at_once(*[lambda: create_channel(app=app, uuid="a")] * 4)
    assert sorted(type(end).__name__ for end in ends) == ["Channel", *["UuidTaken"] * 3]
    assert Channel.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_user_first_seen_twice_at_once_is_one_user(app):
    channel = create_channel(app=app, uuid="a")
    caller = Caller(app=app, uid="u", is_install=False)
    ends = at_once(*[lambda: join_channels(caller, ["a"])] * 6)
    assert ends == [None] * 6
    assert User.objects.count() == 1
    assert channel.subscriptions.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_replacements_at_once_one_wins_whole(app):
    for uuid in "abcd":
        create_channel(app=app, uuid=uuid)
    for is_install in (True, False):
        caller = Caller(app=app, uid="me", is_install=is_install)
        list_channels(caller)
        for _ in range(5):
            ends = at_once(
                lambda who=caller: replace_channels(who, ["a", "b"]),
                lambda who=caller: replace_channels(who, ["d", "c"]),
            )
            assert ends == [None, None]
            mine = {it.channel.uuid for it in list_channels(caller) if it.subscribed}
            assert mine in ({"a", "b"}, {"c", "d"})


@pytest.mark.django_db(transaction=True)
def test_a_backend_and_devices_may_speak_of_the_same_installs_at_once(app, phones):
    channel = create_channel(app=app, uuid="a")
    uids = [f"i{n}" for n in range(20)]
    with transaction.atomic():
        for uid in uids:
            phones.install(uid, user=f"u{uid}")
    everybody = Subscribers(install_uids=uids, user_uids=[f"u{uid}" for uid in reversed(uids)])
    devices = [Caller(app=app, uid=uid, is_install=True) for uid in uids]
    for _ in range(3):
        ends = at_once(
            lambda: subscribe(channel, everybody),
            lambda: unsubscribe(channel, everybody),
            lambda: [join_channels(device, ["a"]) for device in reversed(devices)] and None,
            lambda: [leave_channels(device, ["a"]) for device in devices] and None,
        )
        assert ends == [None] * 4
    subscribe(channel, everybody)
    assert channel.subscriptions.count() == 2 * len(uids)


@pytest.mark.django_db(transaction=True)
def test_a_channel_deleted_under_its_subscribers_is_gone_with_all_of_them(app, phones):
    uids = [f"i{n}" for n in range(50)]
    with transaction.atomic():
        for uid in uids:
            phones.install(uid)
    for round_ in range(5):
        channel = create_channel(app=app, uuid=f"a{round_}")
        joined, deleted = at_once(
            lambda it=channel: subscribe(it, Subscribers(install_uids=uids)),
            lambda it=channel: delete_channel(it),
        )
        assert joined is None or isinstance(joined, NotFound)
        assert deleted is None
        assert not Channel.objects.exists()
        assert not ChannelSubscription.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_channel_being_deleted_is_waited_for_before_it_is_left(app, phones):
    """Its rows go in an order of their own: whoever held one of them meanwhile could be in it."""
    with transaction.atomic():
        phones.install("i", user="u")
    channel, locked = create_channel(app=app, uuid="a"), Event()
    subscribe(channel, Subscribers(install_uids=["i"], user_uids=["u"]))

    def delete():
        with transaction.atomic():
            Channel.objects.select_for_update().get(pk=channel.pk)
            locked.set()
            sleep(0.3)
            left = channel.subscriptions.count()
            delete_channel(channel)
        return left

    def replace():
        locked.wait(10)
        return replace_channels(Caller(app=app, uid="i", is_install=True), [])

    assert at_once(delete, replace) == [2, None]
    assert not ChannelSubscription.objects.exists()
