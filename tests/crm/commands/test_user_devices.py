"""ConnectyCube's subscriptions: one row for a key, one owner for an address."""

from datetime import timedelta
from hashlib import sha256

import pytest
from django.db import transaction
from django.utils import timezone

from crm.commands.apps import create_app
from crm.commands.device_tokens import Address, register_token
from crm.commands.installs import AssociateUser, ClearUser, change_install, recognise_user
from crm.commands.token_health import Death, retire_tokens
from crm.commands.user_devices import (
    UserDevice,
    drop_user_devices,
    subscribe_device,
    subscriptions_of,
    unsubscribe_device,
)
from crm.errors import NotFound
from crm.models import DeviceToken, Install, User
from tests.at_once import at_once

pytestmark = pytest.mark.django_db

ELSEWHERE = "registered elsewhere"


def address(value="a", *, transport="apns", environment="production", topic="com.example.app"):
    return Address(transport=transport, environment=environment, topic=topic, value=value)


@pytest.fixture
def person(app):
    def named(uid, *, app=app):
        return recognise_user(app=app, uid=uid)

    return named


@pytest.fixture
def mark(person):
    return person("mark")


@pytest.fixture
def anna(person):
    return person("anna")


def subscribe(user, *addresses, udid="udid", platform="ios", **said):
    return subscribe_device(UserDevice(user, udid, platform), addresses or [address()], **said)


def one(user, value, **said):
    [token] = subscribe(user, address(value, **said))
    return token


def fresh(token):
    return DeviceToken.objects.get(pk=token.pk)


def dead(token):
    stored = fresh(token)
    return stored.state_reason if stored.state == DeviceToken.State.DEAD else None


def test_a_device_of_a_user_is_an_install_with_a_name_made_up_here(mark):
    before = timezone.now()

    [token] = subscribe(mark, udid="BFE3", platform="ios")

    install = token.install
    digest = sha256(b"BFE3").hexdigest()[:32]
    assert install.uid == f"cube-{mark.pk}-{digest}"
    assert (install.app, install.user, install.os) == (mark.app, mark, "iOS")
    assert install.details == {"udid": "BFE3", "platform": "ios"}
    assert install.last_active_at >= before
    assert User.objects.count() == 1  # nobody stands in for a device with a user


def test_a_platform_is_told_as_segments_know_it(mark):
    for platform, told in {
        "ios": ("iOS", ""),
        "android": ("Android", ""),
        "web": ("", "Web"),
    }.items():
        [token] = subscribe(mark, address(platform), udid=platform, platform=platform)
        assert (token.install.os, token.install.sdk_type) == told


def test_a_udid_two_users_share_is_two_devices(mark, anna):
    [his], [hers] = subscribe(mark, address("a")), subscribe(anna, address("b"))

    assert his.install != hers.install
    assert dead(his) is None


def test_rows_come_in_the_order_of_the_addresses(mark):
    asked = [
        address("c", transport="fcm", topic=""),
        address("b", transport="apns_voip"),
        address("a"),
    ]

    rows = subscribe(mark, *asked, details={"auth": "x"})

    assert [(t.transport, t.value) for t in rows] == [(a.transport, a.value) for a in asked]
    assert [t.pk for t in rows] == sorted(t.pk for t in rows)
    assert [fresh(t).details for t in rows] == [{"auth": "x"}] * 3
    assert [t.pk for t in subscribe(mark, *reversed(asked))] == [t.pk for t in reversed(rows)]


def test_a_repeated_call_changes_the_value_of_the_same_row(mark):
    first, again = one(mark, "old"), one(mark, "new")

    assert again.pk == first.pk
    assert fresh(first).value == again.value == "new"
    assert DeviceToken.objects.count() == Install.objects.count() == 1


def test_addresses_of_one_device_live_side_by_side(mark):
    tokens = subscribe(
        mark,
        address("a"),
        address("b", transport="apns_voip"),
        address("c", environment="sandbox"),
        address("d", topic="com.example.other"),
        address("a", topic="com.example.third"),
    )
    one(mark, "e")

    assert len({t.pk for t in tokens}) == 5
    assert [dead(t) for t in tokens] == [None] * 5


def test_a_key_named_twice_in_one_call_is_one_row_with_the_last_value(mark):
    first, second = subscribe(mark, address("a"), address("b"))

    assert first.pk == second.pk
    assert fresh(first).value == "b"


def test_an_address_of_somebody_elses_moves_to_whoever_registers_it(mark, anna):
    his, hers = one(mark, "same"), one(anna, "same")

    assert hers.install.user == anna
    alive = DeviceToken.objects.get(state="alive")
    assert (alive.install, alive.value) == (hers.install, "same")
    assert his.pk == hers.pk
    assert not subscriptions_of(mark).exists()


def test_it_moves_from_another_device_of_the_same_user_too(mark):
    subscribe(mark, address("same"), udid="old")
    [moved] = subscribe(mark, address("same"), udid="new")

    assert DeviceToken.objects.get(state="alive").install == moved.install


def test_an_address_under_another_topic_is_lost_to_whoever_registers_it(mark, anna):
    his, hers = one(mark, "same", topic="com.example.other"), one(anna, "same")
    other_world = one(mark, "same", environment="sandbox")

    assert dead(his) == ELSEWHERE
    assert dead(hers) is None
    assert dead(other_world) is None


def test_the_callers_row_wins_over_the_row_that_had_the_address(mark, anna):
    his, hers = one(mark, "his"), one(anna, "hers")

    taken = one(mark, "hers")

    assert taken.pk == his.pk
    assert fresh(his).value == "hers"
    assert dead(hers) == ELSEWHERE
    assert fresh(hers).install.user == anna
    assert fresh(hers).value not in {"his", "hers"}


def test_two_devices_trade_addresses_and_keep_their_rows(mark, anna):
    his, hers = one(mark, "x"), one(anna, "y")
    for _ in range(2):
        assert one(mark, "y").pk == his.pk
        assert one(anna, "x").pk == hers.pk
        assert (fresh(his).value, fresh(hers).value) == ("y", "x")
        assert (dead(his), dead(hers)) == (None, None)
        one(mark, "x")
        one(anna, "y")


def test_a_row_that_lost_its_address_comes_back_with_the_next(mark, anna):
    his = one(mark, "same")
    one(anna, "other")
    one(anna, "same")
    assert dead(his) == ELSEWHERE

    assert one(mark, "fresh").pk == his.pk
    assert dead(his) is None


def test_the_dead_come_back_when_they_register(mark):
    token = one(mark, "a")
    DeviceToken.objects.update(enabled=False)
    retire_tokens([Death(token_id=token.pk, reason="Unregistered", died_at=None)])
    assert dead(token) == "Unregistered"

    again = one(mark, "a")

    assert (again.pk, dead(token)) == (token.pk, None)
    assert DeviceToken.objects.reachable().get().registered_at > token.registered_at


def test_a_dead_row_of_the_callers_key_wins_over_a_living_one_of_anothers(mark, anna):
    his = one(mark, "old")
    unsubscribe_device(mark, his.pk)
    hers = one(anna, "new")

    assert one(mark, "new").pk == his.pk
    assert (dead(his), dead(hers)) == (None, ELSEWHERE)


def test_another_app_may_have_the_same_address(mark, person):
    theirs = one(person("mark", app=create_app(name="Other").app), "same")
    mine = one(mark, "same")

    assert mine.pk != theirs.pk
    assert (dead(mine), dead(theirs)) == (None, None)


def test_phones_of_both_vendors_take_addresses_from_each_other(mark, phones):
    kumulos = phones.ring("phone")
    one(mark, kumulos.value)
    assert fresh(kumulos).install.user == mark

    one(mark, "another")
    back = phones.ring("phone")

    assert (back.install.uid, dead(back)) == ("phone", None)
    assert fresh(kumulos).value == "another"
    assert [t.value for t in subscriptions_of(mark)] == ["another"]


# -- listing and leaving


def test_subscriptions_are_the_users_living_rows_in_order(mark, anna, django_assert_num_queries):
    tokens = subscribe(
        mark, address("a"), address("b", transport="apns_voip"), address("c", topic="")
    )
    one(anna, "d")
    unsubscribe_device(mark, tokens[1].pk)
    DeviceToken.objects.filter(pk=tokens[2].pk).update(state="quarantined")

    with django_assert_num_queries(1):
        listed = [(t.pk, t.install.details["udid"]) for t in subscriptions_of(mark)]

    assert listed == [(tokens[0].pk, "udid"), (tokens[2].pk, "udid")]


def test_whoever_unsubscribes_leaves_a_dead_row(mark):
    token = one(mark, "a")

    unsubscribe_device(mark, token.pk)

    assert dead(token) == "unsubscribed by the user"
    with pytest.raises(NotFound):
        unsubscribe_device(mark, token.pk)


def test_nobody_unsubscribes_somebody_else(mark, anna, person):
    hers = one(anna, "a")
    theirs = one(person("anna", app=create_app(name="Other").app), "a")

    for token_id in (hers.pk, theirs.pk, 0, 2**40):
        with pytest.raises(NotFound):
            unsubscribe_device(mark, token_id)
    assert (dead(hers), dead(theirs)) == (None, None)


def test_a_kumulos_install_is_its_current_users_subscription(mark, phones):
    token = phones.ring("phone", user="mark")
    assert list(subscriptions_of(mark)) == [token]

    change_install(token.install, ClearUser())
    token.install.save()

    with pytest.raises(NotFound):
        unsubscribe_device(mark, token.pk)


def test_a_user_who_leaves_can_be_deleted_and_the_rows_the_ledger_names_stay(mark, anna, phones):
    mine = subscribe(mark, address("a"), address("b", transport="apns_voip"))
    mine += subscribe(mark, address("c"), udid="tablet")
    kumulos, hers = phones.ring("phone", user="mark"), one(anna, "d")

    drop_user_devices(mark)
    mark.delete()

    assert [dead(t) for t in mine] == ["the user was deleted"] * 3
    assert (dead(kumulos), dead(hers)) == (None, None)
    for token in (*mine, kumulos):
        user = fresh(token).install.user
        assert (user.uid, user.anonymous) == (token.install.uid, True)


def test_a_device_of_the_departed_is_the_next_users(mark, anna):
    gone = one(mark, "a")
    drop_user_devices(mark)

    assert one(anna, "a").pk == gone.pk
    assert dead(gone) is None


def test_a_device_somebody_else_signed_in_on_is_taken_back_by_its_owner(mark):
    token = one(mark, "a")
    change_install(token.install, AssociateUser(user_uid="anna"))
    token.install.save()
    assert not subscriptions_of(mark).exists()

    assert one(mark, "a").pk == token.pk
    assert list(subscriptions_of(mark)) == [token]


def test_a_call_long_after_moves_the_moment_of_the_last(mark):
    token = one(mark, "a")
    long_ago = timezone.now() - timedelta(days=400)
    Install.objects.update(last_active_at=long_ago, first_active_at=long_ago)

    one(mark, "a")

    install = fresh(token).install
    assert install.first_active_at == long_ago
    assert timezone.now() - install.last_active_at < timedelta(minutes=1)


# -- two at once


@pytest.mark.django_db(transaction=True)
def test_the_same_call_many_times_at_once_gives_one_row(mark):
    given = at_once(*(lambda: subscribe(mark, address("a"), address("b", topic="")),) * 6)

    ids = [[t.pk for t in tokens] for tokens in given]
    assert ids == ids[:1] * 6
    assert DeviceToken.objects.count() == 2
    assert Install.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_users_who_register_one_address_at_once_leave_it_one_owner(person):
    people = [person(f"user-{n}") for n in range(4)]
    topics = ["", "com.example.app"]
    works = [
        lambda user=user, topic=topic: one(user, "shared", topic=topic)
        for user in people
        for topic in topics
    ]

    for _ in range(5):
        assert [g for g in at_once(*works) if isinstance(g, Exception)] == []
        alive = DeviceToken.objects.filter(state="alive")
        assert len(set(alive.values_list("install", flat=True))) == 1
        assert set(alive.values_list("value", flat=True)) == {"shared"}


@pytest.mark.django_db(transaction=True)
def test_phones_that_swap_addresses_while_workers_retire_them_do_not_block_each_other(mark, anna):
    his, hers = one(mark, "x"), one(anna, "y")
    deaths = [Death(token_id=t.pk, reason="gone", died_at=None) for t in (his, hers)]

    for turn in range(8):
        first, second = ("x", "y") if turn % 2 else ("y", "x")
        both = [address("v", topic=first), address(first), address(second, transport="fcm")]
        other = [address("v", topic=second), address(second), address(first, transport="fcm")]
        given = at_once(
            lambda both=both: subscribe(mark, *both),
            lambda other=other: subscribe(anna, *other),
            lambda: retire_tokens(deaths),
        )
        assert [g for g in given if isinstance(g, Exception)] == []
    owners = DeviceToken.objects.filter(state="alive").values_list("transport", "value", "install")
    found = {(transport, value) for transport, value, _ in owners}
    assert len(found) == len(set(owners))


@pytest.mark.django_db(transaction=True)
def test_devices_of_both_vendors_that_register_one_address_at_once_leave_it_one_owner(
    app, mark, phones
):
    def kumulos():
        with transaction.atomic():
            install = phones.install("phone")
            register_token(install, address=address("shared"), details={})

    one(mark, "before")
    for _ in range(8):
        given = at_once(lambda: one(mark, "shared"), kumulos, kumulos)
        assert [g for g in given if isinstance(g, Exception)] == []
        assert DeviceToken.objects.filter(value="shared", state="alive").count() == 1


def test_an_address_registered_again_takes_up_no_new_id(phones):
    first = phones.ring("phone")
    again = [phones.ring("phone").pk for _ in range(5)]
    assert {*again} == {first.pk}
    assert phones.ring("another").pk == first.pk + 1
