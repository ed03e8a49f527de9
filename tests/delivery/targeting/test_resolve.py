import pytest

from crm.commands.apps import create_app
from crm.commands.device_tokens import drop_tokens
from crm.models import Channel, ChannelSubscription

pytestmark = pytest.mark.django_db


def test_everyone_is_every_live_and_enabled_token(phones, reached):
    alive = phones.ring("alive")
    phones.install("without a token")
    muted = phones.ring("muted")
    muted.install.device_tokens.update(enabled=False)
    dead = phones.ring("dead")
    drop_tokens(dead.install, reason="unsubscribed")
    calls = phones.ring("calls")
    calls.install.device_tokens.update(transport="apns_voip")

    assert reached(everyone=True) == [alive.pk]


def test_installs_are_named_by_their_exact_uid(phones, reached):
    upper, lower = phones.ring("ABC"), phones.ring("abc")

    assert reached(install_uids=("ABC", "unknown")) == [upper.pk]
    assert reached(install_uids=("abc", "abc")) == [lower.pk]


def test_users_are_reached_on_all_their_installs(phones, reached):
    first, second = phones.ring("one", user="mark"), phones.ring("two", user="mark")
    phones.ring("three", user="anna")

    assert sorted(reached(user_uids=("mark",))) == [first.pk, second.pk]


def test_a_user_who_signed_out_is_reached_no_longer(phones, reached):
    phones.ring("one", user="mark")
    phones.install("one", user="anna")

    assert reached(user_uids=("mark",)) == []


def test_an_anonymous_user_is_named_by_the_install(phones, reached):
    token = phones.ring("one")

    assert reached(user_uids=("one",)) == [token.pk]


def test_an_install_named_twice_gets_one_copy(phones, reached):
    token = phones.ring("one", user="mark")

    assert reached(install_uids=("one",), user_uids=("mark",)) == [token.pk]


def test_a_channel_is_its_installs_and_its_users_installs_less_the_excluded(app, phones, reached):
    channel = Channel.objects.create(app=app, uuid="offers")
    by_install, by_user = phones.ring("one"), phones.ring("two", user="mark")
    out = phones.ring("three")
    phones.ring("four")
    for token in (by_install, out):
        ChannelSubscription.objects.create(channel=channel, install=token.install)
    ChannelSubscription.objects.create(channel=channel, user=by_user.install.user)

    named = {"channel_ids": (channel.pk,), "except_install_uids": ("three",)}

    assert sorted(reached(**named)) == [by_install.pk, by_user.pk]
    # the exclusion is for channels; who is named by hand is added
    assert sorted(reached(**named, install_uids=("three",))) == [by_install.pk, by_user.pk, out.pk]


def test_another_apps_devices_are_out_of_reach(phones, reached):
    other = create_app(name="Other").app
    theirs = type(phones)(other)
    theirs.ring("one", user="mark")
    channel = Channel.objects.create(app=other, uuid="offers")

    assert reached(everyone=True) == []
    assert reached(install_uids=("one",), user_uids=("mark",), channel_ids=(channel.pk,)) == []
