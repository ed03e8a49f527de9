"""Rows from elsewhere: the newer word wins, empty erases nothing, blanks are filled."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from crm.commands.apps import create_app
from crm.commands.device_tokens import Address, register_token
from crm.commands.imports import (
    ChannelRow,
    InstallRow,
    SubscriptionRow,
    UserRow,
    Words,
    begin_import,
    runs,
    store_channels,
    store_chunk,
    store_installs,
    store_subscriptions,
    store_users,
)
from crm.commands.installs import (
    ClearUser,
    RegisterToken,
    SetEnabled,
    SetInApp,
    TrackInstall,
    change_install,
    recognise_install,
)
from crm.commands.user_devices import UserDevice, subscribe_device
from crm.errors import Conflict
from crm.models import App, Channel, ChannelSubscription, DeviceToken, Event, Install, User

pytestmark = pytest.mark.django_db

MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
SIGNED_OUT = "k.stats.userAssociationCleared"


def address(value, *, environment="production"):
    return RegisterToken(
        transport="apns", environment=environment, topic="com.example.app", value=value
    )


def install_row(uid, *, at=MAY, token=None, user=None, **said):
    return InstallRow(
        uid=uid,
        said=TrackInstall(**said),
        user_uid=user,
        last_active_at=at,
        token=address(token) if token else None,
    )


def living(app):
    """Give which install each address alive leads to."""
    alive = DeviceToken.objects.filter(app=app, state="alive")
    return dict(alive.values_list("value", "install__uid"))


def ids_used(table):
    """Give how many ids a table's sequence has given out."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT last_value FROM {table}_id_seq")
        return cursor.fetchone()[0]


def test_what_is_known_already_uses_up_no_ids(app):
    def bring():
        store_users(app, [UserRow("mark")])
        store_installs(app, [install_row("phone", token="aa", user="ann")])
        store_channels(app, [ChannelRow("news")])
        return [ids_used(f"crm_{name}") for name in ("user", "devicetoken", "channel")]

    assert bring() == bring() == bring()


# -- users


def test_a_user_comes_with_all_that_is_known_of_them(app):
    row = UserRow(
        uid="mark",
        attributes={"plan": "gold", "n": 1.0, "deep": {"list": [None, True]}},
        tags=["a", "b,c", '"'],
        in_app_enabled=True,
        first_active_at=MAY,
        last_active_at=JUNE,
        created_at=MAY,
        told_at=JUNE,
    )

    store_users(app, [row])

    mark = User.objects.get(app=app, uid="mark")
    assert mark.attributes == row.attributes
    assert mark.tags == row.tags
    assert (mark.in_app_enabled, mark.anonymous) == (True, False)
    assert (mark.first_active_at, mark.last_active_at) == (MAY, JUNE)
    assert (mark.created_at, mark.updated_at) == (MAY, JUNE)


def test_a_user_of_no_moment_is_as_of_now(app):
    store_users(app, [UserRow(uid="mark")])

    mark = User.objects.get(app=app)
    assert (mark.first_active_at, mark.last_active_at) == (None, None)
    assert timezone.now() - mark.created_at < timedelta(minutes=1)


def test_clocks_ahead_of_ours_are_held_back(app):
    ahead = timezone.now() + timedelta(days=400)

    store_users(app, [UserRow(uid="mark", created_at=ahead, last_active_at=ahead, told_at=ahead)])

    mark = User.objects.get(app=app)
    assert max(mark.created_at, mark.updated_at, mark.last_active_at) <= timezone.now()


def test_what_a_backend_said_after_the_file_was_made_stays(app):
    User.objects.create(app=app, uid="mark", attributes={"plan": "gold"}, in_app_enabled=False)

    store_users(
        app,
        [UserRow(uid="mark", attributes={"plan": "free"}, in_app_enabled=True, told_at=JUNE)],
    )

    mark = User.objects.get(app=app)
    assert (mark.attributes, mark.in_app_enabled) == ({"plan": "gold"}, False)


def test_a_newer_file_replaces_what_an_older_one_said(app):
    store_users(app, [UserRow(uid="mark", attributes={"a": 1}, tags=["x"], told_at=MAY)])
    store_users(app, [UserRow(uid="mark", attributes={"b": 2}, in_app_enabled=True, told_at=JUNE)])
    store_users(app, [UserRow(uid="mark", attributes={"c": 3}, told_at=MAY)])

    mark = User.objects.get(app=app)
    assert mark.attributes == {"b": 2}
    assert mark.tags == ["x"]  # the newer file leaves them empty
    assert mark.in_app_enabled is True


def test_a_user_a_device_has_only_named_is_filled_in(app, phones):
    phones.install("phone", user="mark")

    store_users(app, [UserRow(uid="mark", attributes={"plan": "gold"}, told_at=JUNE)])

    assert User.objects.get(app=app, uid="mark").attributes == {"plan": "gold"}


def test_attributes_deleted_here_are_not_brought_back(app):
    row = UserRow(uid="mark", attributes={"plan": "gold"}, told_at=JUNE)
    store_users(app, [row])
    User.objects.filter(uid="mark").update(attributes={}, updated_at=timezone.now())

    store_users(app, [row])

    assert User.objects.get(app=app).attributes == {}


def test_a_users_attributes_may_come_in_an_older_file_than_their_name(app, phones):
    phones.install("phone", user="mark")

    store_users(app, [UserRow(uid="mark", created_at=MAY, told_at=JUNE)])
    store_users(app, [UserRow(uid="mark", attributes={"plan": "gold"}, created_at=MAY)])
    assert User.objects.get(app=app, uid="mark").attributes == {}  # of no moment: never newer

    row = UserRow(uid="mark", attributes={"plan": "gold"}, told_at=JUNE + timedelta(days=1))
    store_users(app, [row])
    assert User.objects.get(app=app, uid="mark").attributes == {"plan": "gold"}


def told(app, kind, *, install="phone", at=None):
    Event.objects.create(
        app=app, uuid=uuid4(), install_uid=install, type=kind, happened_at=at or timezone.now()
    )


def test_consent_given_to_a_device_since_stays(app):
    words = Words(consent=["consent"])
    store_users(app, [UserRow(uid="mark", in_app_enabled=True, told_at=MAY)])
    store_installs(app, [install_row("phone", user="mark")])
    change_install(Install.objects.select_related("user").get(app=app), SetInApp(consented=False))
    told(app, "consent")

    newer = UserRow(uid="mark", attributes={"n": 1}, in_app_enabled=True, told_at=JUNE)
    store_users(app, [newer], words=words)

    mark = User.objects.get(app=app)
    assert (mark.in_app_enabled, mark.attributes) == (False, {"n": 1})


def test_consent_given_before_the_file_was_made_is_the_files(app):
    words = Words(consent=["consent"])
    store_users(app, [UserRow(uid="mark", in_app_enabled=False, told_at=MAY)])
    store_installs(app, [install_row("phone", user="mark")])
    told(app, "consent", at=MAY)

    store_users(app, [UserRow(uid="mark", in_app_enabled=True, told_at=JUNE)], words=words)

    assert User.objects.get(app=app).in_app_enabled is True


def test_activity_only_grows(app):
    User.objects.create(app=app, uid="mark", first_active_at=MAY, last_active_at=JUNE)
    before, after = MAY - timedelta(days=1), JUNE + timedelta(days=1)

    store_users(app, [UserRow(uid="mark", first_active_at=JUNE, last_active_at=MAY)])
    mark = User.objects.get(app=app)
    assert (mark.first_active_at, mark.last_active_at) == (MAY, JUNE)

    store_users(app, [UserRow(uid="mark", first_active_at=before, last_active_at=after)])
    mark = User.objects.get(app=app)
    assert (mark.first_active_at, mark.last_active_at) == (before, after)


def test_another_apps_user_of_the_same_name_is_somebody_else(app):
    other = create_app(name="Other").app
    store_users(other, [UserRow(uid="mark", attributes={"of": "other"}, told_at=JUNE)])

    store_users(app, [UserRow(uid="mark", attributes={"of": "app"}, told_at=JUNE)])

    assert User.objects.get(app=other).attributes == {"of": "other"}


# -- installs


def test_an_install_comes_with_its_user(app):
    store_installs(
        app,
        [
            install_row("phone", user="mark", os="iOS", timezone="Europe/Rome", details={"a": 1}),
            install_row("tablet"),
        ],
    )

    phone = Install.objects.select_related("user").get(app=app, uid="phone")
    assert (phone.user.uid, phone.user.anonymous) == ("mark", False)
    assert (phone.os, phone.timezone, phone.details) == ("iOS", "Europe/Rome", {"a": 1})
    assert phone.first_active_at == phone.last_active_at == MAY
    tablet = Install.objects.select_related("user").get(app=app, uid="tablet")
    assert (tablet.user.uid, tablet.user.anonymous) == ("tablet", True)


def test_what_a_device_has_reported_since_stays_and_its_gaps_are_filled(app):
    live = recognise_install(app=app, uid="phone")
    change_install(live, TrackInstall(os="iOS", timezone="Europe/Rome"))
    live.save()

    said = {"os": "Android", "app_version": "1.2", "timezone": "Asia/Tokyo"}
    store_installs(app, [install_row("phone", at=JUNE, **said)])

    phone = Install.objects.get(app=app)
    assert (phone.os, phone.timezone, phone.app_version) == ("iOS", "Europe/Rome", "1.2")
    assert phone.last_active_at == live.last_active_at
    assert phone.timezone_since == live.timezone_since


def test_an_install_that_comes_to_another_zone_has_moved(app):
    store_installs(app, [install_row("phone", at=MAY, timezone="Europe/Rome")])
    assert Install.objects.get(app=app).timezone_since is None

    store_installs(app, [install_row("phone", at=JUNE, timezone="Asia/Tokyo")])

    phone = Install.objects.get(app=app)
    assert phone.timezone == "Asia/Tokyo"
    assert phone.timezone_since is not None


def test_a_device_seen_before_its_user_was_brought_along_gets_them(app, phones):
    phones.install("phone")

    store_installs(app, [install_row("phone", user="mark")])

    assert Install.objects.get(app=app).user.uid == "mark"


def test_who_has_signed_out_here_is_not_signed_in_again(app, phones):
    live = phones.install("phone", user="mark")
    change_install(live, ClearUser())
    live.save()
    Event.objects.create(
        app=app, uuid=uuid4(), install_uid="phone", type=SIGNED_OUT, happened_at=JUNE
    )

    store_installs(app, [install_row("phone", user="mark")], words=Words(user=[SIGNED_OUT]))

    assert Install.objects.get(app=app).user.uid == "phone"


def test_who_has_signed_in_here_stays(app, phones):
    phones.install("phone", user="anna")

    store_installs(app, [install_row("phone", user="mark"), install_row("phone")])

    assert Install.objects.get(app=app).user.uid == "anna"


def test_a_user_known_by_an_installs_name_turns_out_to_be_anonymous(app):
    store_users(app, [UserRow(uid="phone", told_at=MAY)])

    store_installs(app, [install_row("phone", user="phone")])

    assert User.objects.get(app=app).anonymous is True


# -- addresses


def test_an_address_leads_to_its_install(app):
    store_installs(app, [install_row("phone", token="aa"), install_row("tablet")])

    assert living(app) == {"aa": "phone"}
    assert DeviceToken.objects.reachable().get().registered_at == MAY


def test_an_address_in_two_installs_belongs_to_the_later_one(app):
    later = install_row("new", token="aa", at=JUNE)
    earlier = install_row("old", token="aa", at=MAY)

    store_installs(app, [later, earlier])

    assert living(app) == {"aa": "new"}


def test_an_address_registered_here_since_is_not_taken_away(app, phones):
    phones.ring("new")
    [value] = living(app)

    store_installs(app, [install_row("old", token=value, at=JUNE)])

    assert living(app) == {value: "new"}


def test_an_install_has_one_address_the_one_registered_last(app, phones):
    phones.ring("phone")
    [live] = living(app)

    store_installs(app, [install_row("phone", token="aa", at=JUNE)])
    assert living(app) == {live: "phone"}
    assert DeviceToken.objects.get(value="aa").state_reason == "replaced by the device"

    store_installs(app, [install_row("tablet", token="bb", at=MAY)])
    store_installs(app, [install_row("tablet", token="cc", at=JUNE)])
    assert living(app) == {live: "phone", "cc": "tablet"}


def test_an_address_of_no_moment_is_older_than_all(app, phones):
    phones.ring("phone")
    [live] = living(app)

    store_installs(app, [install_row("phone", token="aa", at=None)])

    assert living(app) == {live: "phone"}


def test_the_same_value_in_the_other_world_is_the_same_phone(app):
    store_installs(app, [install_row("old", token="aa", at=MAY)])
    moved = install_row("new", at=JUNE)._replace(token=address("aa", environment="sandbox"))

    store_installs(app, [moved])

    assert living(app) == {"aa": "new"}
    assert DeviceToken.objects.get(environment="production").state_reason == "registered elsewhere"


def test_a_dead_address_stays_dead_unless_it_was_in_use_after_it_died(app):
    store_installs(app, [install_row("phone", token="aa", at=MAY)])
    DeviceToken.objects.update(state="dead", state_changed_at=MAY + timedelta(days=1))

    store_installs(app, [install_row("phone", token="aa", at=MAY)])
    assert living(app) == {}

    store_installs(app, [install_row("phone", token="aa", at=JUNE)])
    assert living(app) == {"aa": "phone"}


def test_whoever_asked_not_to_be_pushed_to_is_not_given_an_address(app, phones):
    phones.install("phone")
    told(app, "left")
    rows = [install_row("phone", token="aa"), install_row("tablet", token="bb")]

    store_installs(app, rows, words=Words(address=["left"]))

    assert living(app) == {"bb": "tablet"}


def test_whoever_asked_so_before_the_file_was_made_has_come_back(app, phones):
    phones.install("phone")
    told(app, "left", at=MAY)

    row = install_row("phone", token="aa", at=JUNE)
    store_installs(app, [row], words=Words(address=["left"]))

    assert living(app) == {"aa": "phone"}


def test_leave_taken_from_a_device_since_is_not_given_back(app):
    words = Words(leave=["leave"])
    store_installs(app, [install_row("phone", token="aa")])
    change_install(Install.objects.get(app=app), SetEnabled(enabled=False))
    told(app, "leave")

    store_installs(app, [install_row("phone", token="aa", at=JUNE)], words=words)

    token = DeviceToken.objects.get()
    assert (token.enabled, token.registered_at) == (False, JUNE)


def test_of_two_addresses_of_one_moment_it_is_the_same_one_wherever_the_file_is_cut(app):
    other = create_app(name="Other").app
    rows = [install_row("r", token="bb"), install_row("q", token="aa", at=None)]
    rows.append(install_row("r", token="aa"))

    store_installs(app, rows)
    for row in rows:
        store_installs(other, [row])

    assert living(app) == living(other) == {"aa": "r"}


@pytest.mark.parametrize("known", [0, 1])
def test_an_address_that_moves_leaves_its_install_as_wherever_the_file_is_cut(app, known):
    other = create_app(name="Other").app
    rows = [
        install_row("p", token="aa", at=MAY),
        install_row("p", token="bb", at=None),
        install_row("q", token="aa", at=JUNE),
    ]

    store_installs(app, rows[:known])
    store_installs(app, rows[known:])
    for row in rows:
        store_installs(other, [row])

    assert living(app) == living(other) == {"aa": "q"}


def test_registering_again_after_an_import_keeps_one_address(app):
    store_installs(app, [install_row("phone", token="aa")])

    register_token(
        Install.objects.get(app=app),
        address=Address(
            transport="apns", environment="production", topic="com.example.app", value="bb"
        ),
        details={},
    )

    assert living(app) == {"bb": "phone"}


def test_addresses_a_device_has_side_by_side_are_left_alone(app):
    device = UserDevice(User.objects.create(app=app, uid="mark"), "udid", "ios")
    both = [
        Address(transport="apns", environment="production", topic=topic, value=f"of-{topic}")
        for topic in ("com.example.app", "com.example.other")
    ]
    tokens = subscribe_device(device, both)

    rows = [install_row(f"phone-{n}", token=t.value, at=MAY) for n, t in enumerate(tokens)]
    store_installs(app, rows)

    assert living(app) == {t.value: t.install.uid for t in tokens}


# -- channels and who is in them


def test_a_channel_comes_as_it_was(app):
    row = ChannelRow("news", name="News", show_in_portal=True, meta={"a": None}, created_at=MAY)

    store_channels(app, [row])
    store_channels(app, [row])

    news = Channel.objects.get(app=app)
    assert (news.name, news.show_in_portal, news.meta) == ("News", True, {"a": None})
    assert news.created_at == MAY


def test_a_channel_changed_here_since_stays(app):
    Channel.objects.create(app=app, uuid="news", name="Our news")

    store_channels(app, [ChannelRow("news", name="News", meta={"a": 1}, told_at=JUNE)])

    news = Channel.objects.get(app=app)
    assert (news.name, news.meta) == ("Our news", {"a": 1})


def test_whoever_is_known_is_subscribed_once_and_the_rest_is_named(app, phones):
    phones.install("phone", user="mark")
    store_channels(app, [ChannelRow("news")])
    rows = [
        SubscriptionRow("news", install_uid="phone"),
        SubscriptionRow("news", user_uid="mark"),
        SubscriptionRow("news", user_uid="mark"),
        SubscriptionRow("news", user_uid="nobody"),
        SubscriptionRow("sport", install_uid="nothing"),
    ]

    assert store_subscriptions(app, rows) == {3: ["user_uid"], 4: ["channel_uuid", "install_uid"]}
    store_subscriptions(app, rows)

    found = ChannelSubscription.objects.values_list("install__uid", "user__uid")
    assert set(found) == {("phone", None), (None, "mark")}
    assert len(found) == 2


def test_another_apps_channels_and_people_are_not_known(app, phones):
    phones.install("phone", user="mark")
    store_channels(app, [ChannelRow("news")])
    other = create_app(name="Other").app

    row = SubscriptionRow("news", install_uid="phone")
    assert store_subscriptions(other, [row]) == {0: ["channel_uuid", "install_uid"]}


# -- runs


def test_a_run_that_another_process_has_moved_stores_nothing(app):
    ask = {"app": app, "kind": "users", "digest": "d", "file_name": "f"}
    mine, theirs = begin_import(**ask), begin_import(**ask)
    store_chunk(theirs, until=10, store=lambda: (9, 1))

    with pytest.raises(Conflict):
        store_chunk(mine, until=10, store=lambda: pytest.fail("stored twice"))

    assert (theirs.lines_read, theirs.stored, theirs.refused) == (10, 9, 1)


def test_a_chunk_that_fails_leaves_the_run_where_it_was(app):
    run = begin_import(app=app, kind="users", digest="d", file_name="f")

    def store():
        store_users(app, [UserRow(uid="mark")])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store_chunk(run, until=10, store=store)

    run.refresh_from_db()
    assert run.lines_read == 0
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_rows_others_keep_locked_are_waited_for_and_then_given_up(app, monkeypatch):
    monkeypatch.setattr(runs, "WAITS", (0.1,))
    run = begin_import(app=app, kind="users", digest="d", file_name="f")
    store_users(app, [UserRow(uid="mark")])
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT 1 FROM crm_user FOR UPDATE")
        with pytest.raises(Conflict):
            store_chunk(run, until=1, store=lambda: store_users(app, [UserRow(uid="mark")]))

    run.refresh_from_db()
    assert run.lines_read == 0


def test_the_planner_hears_of_an_app_that_grows(app):
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_user (app_id, uid)")  # of no users
    run = begin_import(app=app, kind="users", digest="d", file_name="f")

    def store():
        store_users(app, [UserRow(uid=f"user-{n}") for n in range(3000)])
        return 3000, 0

    store_chunk(run, until=3000, store=store)

    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'crm_user'")
        assert cursor.fetchone() == (3000,)


# -- wherever a file is cut

moments = st.sampled_from([None, MAY, JUNE, JUNE + timedelta(days=1)])
user_rows = st.builds(
    UserRow,
    uid=st.sampled_from("ab"),
    attributes=st.sampled_from([{}, {"n": 1}, {"n": 2}]),
    tags=st.sampled_from([[], ["x"], ["y"]]),
    in_app_enabled=st.sampled_from([None, True, False]),
    first_active_at=moments,
    last_active_at=moments,
    created_at=moments,
    told_at=moments,
)
install_rows = st.builds(
    install_row,
    st.sampled_from("pqr"),
    at=moments,
    token=st.sampled_from([None, "aa", "bb"]),
    user=st.sampled_from([None, "a", "b", "p"]),
    os=st.sampled_from(["", "iOS", "Android"]),
    timezone=st.sampled_from(["", "Europe/Rome", "Asia/Tokyo"]),
)


def everything(app):
    """Give all rows of an app, without what is told of the moment of the import only."""
    now = timezone.now() - timedelta(hours=1)

    def known(moment):
        return moment if moment is None or moment < now else "now"

    users = User.objects.filter(app=app).order_by("uid")
    installs = Install.objects.filter(app=app).order_by("uid")
    tokens = DeviceToken.objects.filter(app=app).order_by("value")
    return (
        [
            (
                *(u.uid, u.anonymous, u.attributes, u.tags, u.in_app_enabled),
                *map(known, (u.first_active_at, u.last_active_at, u.created_at, u.updated_at)),
            )
            for u in users
        ],
        [
            (
                *(i.uid, i.user.uid, i.os, i.timezone),
                *map(known, (i.timezone_since, i.first_active_at, i.last_active_at)),
            )
            for i in installs.select_related("user")
        ],
        [
            (t.value, t.install.uid, t.state, t.state_reason, known(t.registered_at))
            for t in tokens.select_related("install")
        ],
    )


class WhereverAFileIsCut(TestCase):
    @settings(max_examples=100, deadline=None)
    @given(users=st.lists(user_rows, max_size=8), installs=st.lists(install_rows, max_size=8))
    def test_the_same_rows_are_stored(self, users, installs):
        whole, cut = App.objects.create(api_key="whole"), App.objects.create(api_key="cut")
        store_installs(whole, installs)
        store_users(whole, users)
        for row in installs:
            store_installs(cut, [row])
        for row in users:
            store_users(cut, [row])

        assert everything(whole) == everything(cut)

    @settings(max_examples=40, deadline=None)
    @given(users=st.lists(user_rows, max_size=8), installs=st.lists(install_rows, max_size=8))
    def test_storing_them_again_changes_nothing_that_devices_are_found_by(self, users, installs):
        app = App.objects.create(api_key="app")
        for _ in range(2):
            with transaction.atomic():
                store_installs(app, installs)
                store_users(app, users)
            ways = living(app)

        store_installs(app, installs)
        assert living(app) == ways


def test_an_address_of_unsaid_environment_is_of_that_which_pushes_have_shown(app):
    guess = replace(address("a"), environment_known=False)
    store_installs(app, [install_row("one")._replace(token=guess)])
    DeviceToken.objects.update(environment="sandbox", environment_known=True)

    store_installs(app, [install_row("one", at=JUNE)._replace(token=guess)])

    token = DeviceToken.objects.get(app=app)
    assert (token.environment, token.environment_known) == ("sandbox", True)
    assert (token.state, token.registered_at) == ("alive", JUNE)
