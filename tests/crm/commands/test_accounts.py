"""People who sign up, on real rows: their names, their passwords, their end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from django.db import transaction
from django.utils import timezone

from crm.accounts import LONGEST, AccountWords
from crm.commands.accounts import (
    ChangeAccount,
    SignUp,
    change_account,
    delete_account,
    forget_guests,
    sign_up,
)
from crm.commands.apps import create_app
from crm.commands.device_tokens import Address
from crm.commands.installs import AssociateUser, change_install, recognise_install
from crm.commands.user_devices import UserDevice, subscribe_device
from crm.commands.users import set_attributes
from crm.directory import (
    Condition,
    Operator,
    Order,
    called,
    find_by_email,
    find_by_external_id,
    find_by_id,
    find_by_login,
    search,
    tagged,
)
from crm.errors import Conflict, Invalid, NotFound
from crm.models import DeviceToken, Install, Session, User
from crm.passwords import matches
from tests.at_once import at_once

pytestmark = pytest.mark.django_db

BLANK, INVALID, TAKEN = "can't be blank", "is invalid", "has already been taken"


@pytest.fixture
def enter(app) -> Callable[..., User]:
    """Sign up with a password, and under a login unless told otherwise."""

    def enter(login: str | None = None, **said: object) -> User:
        return sign_up(SignUp(**{"app": app, "login": login, "password": "secret", **said}))

    return enter


def change(user: User, **said: object) -> User:
    return change_account(ChangeAccount(user=user, said=AccountWords(**said)))


def refusal(kind: type[Exception], act: Callable[[], object]) -> dict[str, list[str]]:
    with pytest.raises(kind) as caught:
        act()
    assert type(caught.value) is kind
    return dict(caught.value.reasons)


# signing up


def test_whoever_signs_up_is_stored_as_they_said(app):
    user = sign_up(
        SignUp(
            app=app,
            login="Dacia",
            email="Dacia_K@domain.com",
            password="petU4or!",
            external_id="crm-17",
            external_user_id=52691165,
            full_name="Dacia Kail ",
            profile={"phone": "+6110797757", "timezone": 180, "avatar": None},
            tags=["vip", " vip ", "", "Vip", "accountant"],
        )
    )
    kept = User.objects.get(pk=user.pk)
    assert (kept.login, kept.email, kept.full_name) == (
        "Dacia",
        "Dacia_K@domain.com",
        "Dacia Kail ",
    )
    assert (kept.uid, kept.uid_is_ours, kept.external_user_id) == ("crm-17", False, 52691165)
    assert kept.profile == {"phone": "+6110797757", "timezone": 180}
    assert kept.tags == ["vip", "Vip", "accountant"]
    assert kept.guest_until is None
    assert not kept.anonymous
    assert kept.created_at <= kept.updated_at


def test_a_password_is_kept_hashed_and_told_from_others(enter):
    stored = enter("dacia").password
    assert "secret" not in stored
    assert matches("secret", stored)
    assert not matches("Secret", stored)
    assert not matches("", None)


def test_someone_without_an_outside_name_gets_one_nobody_is_shown(enter):
    one, other = enter("one"), enter("other")
    assert one.uid.startswith("cube-")
    assert one.uid != other.uid
    assert one.uid_is_ours


def test_an_external_user_id_stands_in_for_the_name(enter):
    user = enter("dacia", external_user_id=0)
    assert (user.uid, user.uid_is_ours) == ("0", True)


def test_everything_missing_is_named_at_once(app):
    assert refusal(Invalid, lambda: sign_up(SignUp(app=app))) == {
        "login": [BLANK],
        "email": [BLANK],
        "password": [BLANK],
    }
    blank = SignUp(app=app, login=" ", email="", password="  ")
    assert refusal(Invalid, lambda: sign_up(blank)) == {
        "login": [BLANK],
        "email": [BLANK],
        "password": [BLANK],
    }


def test_everything_wrong_is_named_at_once_and_nothing_stored(app):
    ask = SignUp(
        app=app,
        login="ab",
        email="nobody",
        password="p",
        external_id="x" * 513,
        external_user_id=2**63,
        full_name="x" * 256,
        profile={"phone": "1\0", "custom_data": "x" * 65_536, "blob_id": -1, "timezone": 2**31},
        tags=["x" * 256],
    )
    assert refusal(Invalid, lambda: sign_up(ask)) == {
        "login": ["is too short (minimum is 3 characters)"],
        "email": [INVALID],
        "external_id": ["is too long (maximum is 512 characters)"],
        "external_user_id": [INVALID],
        "full_name": ["is too long (maximum is 255 characters)"],
        "phone": [INVALID],
        "custom_data": ["is too long (maximum is 65535 characters)"],
        "blob_id": [INVALID],
        "timezone": [INVALID],
        "tags": ["is too long (maximum is 255 characters)"],
    }
    assert not User.objects.exists()


@pytest.mark.parametrize("login", ["abc", "x" * 70, "a b", "Ünï", " ab"])
def test_a_login_of_3_to_70_characters_will_do(enter, login):
    assert enter(login).login == login


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        ({"login": "x" * 71}, {"login": ["is too long (maximum is 70 characters)"]}),
        ({"login": "a\0bc"}, {"login": [INVALID]}),
        ({"login": "abc", "email": "a@b"}, {"email": [INVALID]}),
        ({"login": "abc", "email": f"{'x' * 250}@b.com"},
         {"email": ["is too long (maximum is 255 characters)"]}),
        ({"login": "abc", "external_id": "a\0"}, {"external_id": [INVALID]}),
        ({"login": "abc", "external_user_id": -1}, {"external_user_id": [INVALID]}),
        ({"login": "abc", "tags": ["\0"]}, {"tags": [INVALID]}),
        ({"login": "abc", "tags": [str(n) for n in range(1001)]},
         {"tags": ["is too long (maximum is 1000 tags)"]}),
        ({"login": "abc", "password": "a\0"}, {"password": [INVALID]}),
    ],
)  # fmt: skip
def test_each_field_has_its_limits(enter, said, reasons):
    assert refusal(Invalid, lambda: enter(**said)) == reasons


def test_names_of_others_are_refused_together_with_what_is_wrong(enter):
    enter("dacia", email="dacia@domain.com", external_id="crm-17", external_user_id=5)
    again = {"email": "dacia@domain.com", "external_id": "crm-17", "external_user_id": 5}
    assert refusal(Conflict, lambda: enter("dacia", **again)) == {
        "login": [TAKEN],
        "email": [TAKEN],
        "external_id": [TAKEN],
        "external_user_id": [TAKEN],
    }
    assert refusal(Invalid, lambda: enter("dacia", email="nobody", external_id="crm-17")) == {
        "login": [TAKEN],
        "email": [INVALID],
        "external_id": [TAKEN],
    }


def test_names_are_compared_exactly_and_within_one_app(enter):
    enter("dacia", email="dacia@domain.com", external_id="crm-17")
    enter("Dacia", email="Dacia@domain.com", external_id="CRM-17")
    elsewhere = create_app(name="Other").app
    enter("dacia", email="dacia@domain.com", external_id="crm-17", app=elsewhere)
    assert User.objects.count() == 3


# one person, two sides


def test_signing_up_under_a_name_the_other_side_knows_makes_one_person(app, phones, enter):
    install = phones.install("i", user="crm-17")
    known = set_attributes(app=app, uid="crm-17", attributes={"age": 40})
    user = enter("dacia", external_id="crm-17")
    assert user.pk == known.pk
    kept = User.objects.get(pk=user.pk)
    assert (kept.attributes, kept.login, kept.uid_is_ours) == ({"age": 40}, "dacia", False)
    assert Install.objects.get(pk=install.pk).user == kept
    assert kept.created_at == known.created_at


def test_an_external_user_id_makes_them_the_person_of_that_number(app, enter):
    known = set_attributes(app=app, uid="52691165", attributes={"age": 40})
    user = enter("dacia", external_user_id=52691165)
    assert (user.pk, user.uid, user.uid_is_ours) == (known.pk, "52691165", True)


def test_a_person_is_claimed_once(app, enter):
    set_attributes(app=app, uid="5", attributes={})
    enter("dacia", external_id="5")
    assert refusal(Conflict, lambda: enter("other", external_id="5")) == {"external_id": [TAKEN]}
    assert refusal(Conflict, lambda: enter("other", external_user_id=5)) == {
        "external_user_id": [TAKEN]
    }


def test_an_installs_own_anonymous_user_is_nobody_to_become(phones, enter):
    phones.install("install-1")
    refused = refusal(Conflict, lambda: enter("dacia", external_id="install-1"))
    assert refused == {"external_id": [TAKEN]}


def test_a_name_made_up_here_cannot_be_claimed(enter):
    made_up = enter("dacia").uid
    assert refusal(Conflict, lambda: enter("other", external_id=made_up)) == {
        "external_id": [TAKEN]
    }


# guests


def test_a_guest_needs_nothing_and_stays_a_day(app):
    before = timezone.now()
    guest = sign_up(SignUp(app=app, guest=True, full_name="Visitor", tags=["new"]))
    assert guest.login.startswith("guest_login_")
    assert len(guest.login) == len("guest_login_") + 32
    assert guest.login.removeprefix("guest_login_").isupper()
    assert (guest.password, guest.email, guest.full_name) == (None, None, "Visitor")
    assert timedelta(hours=23) < guest.guest_until - before <= timedelta(days=1, seconds=10)
    assert guest.tags == ["new"]
    sign_up(SignUp(app=app, guest=True))


def test_a_guest_becomes_nobody_already_known(app):
    known = set_attributes(app=app, uid="crm-17", attributes={})
    guest = sign_up(SignUp(app=app, guest=True, external_id="crm-17", login="x", password="p"))
    assert guest.pk != known.pk
    assert guest.uid_is_ours
    assert guest.password is None


# changes


def test_what_is_not_said_stays(enter):
    user = enter("dacia", full_name="Dacia", tags=["vip"], profile={"phone": "1", "website": "w"})
    changed = change(user, email="d@domain.com", profile={"phone": None, "avatar": "a"})
    kept = User.objects.get(pk=user.pk)
    assert changed.pk == user.pk
    assert (kept.login, kept.email, kept.full_name) == ("dacia", "d@domain.com", "Dacia")
    assert (kept.tags, kept.profile) == (["vip"], {"website": "w", "avatar": "a"})
    assert kept.password == user.password
    assert kept.created_at == user.created_at
    assert kept.updated_at > user.updated_at


def test_tags_are_replaced(enter):
    user = enter("dacia", tags=["vip"])
    assert change(user, tags=[" new", "new"]).tags == ["new"]
    assert change(user, tags=[]).tags == []


def test_somebody_keeps_a_login_or_an_address(enter):
    user = enter("dacia", email="d@domain.com")
    assert change(user, login="").login is None
    assert refusal(Invalid, lambda: change(user, email=None)) == {"email": [BLANK]}
    assert change(user, email=None, login="dacia").email is None


def test_ones_own_names_are_not_taken(enter):
    user = enter("dacia", email="d@domain.com", external_id="crm-17", external_user_id=5)
    same = {"login": "dacia", "email": "d@domain.com"}
    change(user, **same, external_id="crm-17", external_user_id=5)


def test_names_of_others_cannot_be_taken_later(app, enter):
    enter("dacia", email="d@domain.com", external_id="crm-17", external_user_id=5)
    set_attributes(app=app, uid="bare", attributes={})
    other = enter("other")
    taken = {"login": "dacia", "email": "d@domain.com", "external_user_id": 5}
    assert refusal(Conflict, lambda: change(other, **taken, external_id="bare")) == {
        "login": [TAKEN],
        "email": [TAKEN],
        "external_user_id": [TAKEN],
        "external_id": [TAKEN],
    }
    assert refusal(Invalid, lambda: change(other, login="dacia", full_name="x" * 256)) == {
        "login": [TAKEN],
        "full_name": ["is too long (maximum is 255 characters)"],
    }
    assert User.objects.get(pk=other.pk).login == "other"


def test_an_external_id_renames_the_person_and_its_removal_makes_the_name_ours(enter):
    user = enter("dacia")
    renamed = change(user, external_id="crm-17")
    assert (renamed.uid, renamed.uid_is_ours) == ("crm-17", False)
    made_up = change(user, external_id=None)
    assert made_up.uid.startswith("cube-")
    assert made_up.uid_is_ours
    assert change(user, external_id=None).uid == made_up.uid


def test_a_name_made_up_follows_the_external_user_id(enter):
    user = enter("dacia", external_user_id=5)
    assert change(user, external_user_id=6).uid == "6"
    assert change(user, external_user_id=None).uid.startswith("cube-")
    assert change(user, external_id="a", external_user_id=7).uid == "a"
    assert change(user, external_user_id=8).uid == "a"


def test_a_new_password_needs_the_old_one(enter):
    user = enter("dacia")
    new = {"password": "new"}
    assert refusal(Invalid, lambda: change(user, **new)) == {"old_password": [BLANK]}
    wrong = refusal(Invalid, lambda: change(user, **new, old_password="x"))
    assert wrong == {"old_password": [INVALID]}
    blank = refusal(Invalid, lambda: change(user, password=" ", old_password="secret"))
    assert blank == {"password": [BLANK]}
    assert matches("new", change(user, **new, old_password="secret").password)


def test_a_guest_has_no_password_to_change(app):
    guest = sign_up(SignUp(app=app, guest=True))
    refused = refusal(Invalid, lambda: change(guest, password="new", old_password="x"))
    assert refused == {"old_password": [INVALID]}


def test_nobody_is_changed_who_is_gone(enter):
    user = enter("dacia")
    delete_account(user)
    with pytest.raises(NotFound):
        change(User(pk=user.pk or 1), login="other")


# the end


def test_deleting_takes_sessions_and_addresses_along(app, phones, enter):
    user = enter("dacia", external_id="crm-17")
    Session.objects.create(
        app=app, user=user, token_fingerprint=b"x" * 32, expires_at=timezone.now()
    )
    address = Address(transport="fcm", environment="production", topic="", value="v")
    subscribe_device(UserDevice(user, "phone-1", "android"), [address])
    kept = phones.ring("i", user="crm-17")
    pk = user.pk
    delete_account(user)
    delete_account(User(pk=pk))
    assert not Session.objects.exists()
    assert list(DeviceToken.objects.reachable()) == [kept]
    assert not User.objects.filter(pk=pk).exists()
    install = Install.objects.get(uid="i")
    assert (install.user.uid, install.user.anonymous) == ("i", True)


def test_guests_whose_day_is_over_are_forgotten(app, enter):
    guest, other = (sign_up(SignUp(app=app, guest=True)) for _ in range(2))
    User.objects.filter(pk=guest.pk).update(guest_until=timezone.now())
    kept = enter("dacia")
    assert forget_guests(now=timezone.now()) == 1
    assert set(User.objects.all()) == {other, kept}


def test_an_install_named_like_the_person_is_an_anonymous_ones_afterwards(app, enter):
    user = enter("dacia", external_id="same")
    install = recognise_install(app=app, uid="same")
    assert install.user == user
    delete_account(User.objects.get(pk=user.pk))
    install.refresh_from_db()
    assert (install.user.uid, install.user.anonymous) == ("same", True)
    assert install.user_id != user.pk


def test_a_device_that_calls_itself_as_somebody_is_called_makes_them_no_stranger(app, enter):
    user = enter("dacia", external_id="same")
    recognise_install(app=app, uid="same")
    assert find_by_login(app=app, login="dacia") == user


# several at once


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "field", [{"login": "dacia"}, {"email": "d@domain.com"}, {"external_user_id": 5}]
)
def test_of_many_who_want_one_name_one_gets_it(app, field):
    asks = [{"login": f"login-{n}", **field} for n in range(4)]
    tasks = [lambda a=ask: sign_up(SignUp(app=app, password="p", **a)) for ask in asks]
    outcomes = at_once(*tasks)
    assert sum(isinstance(outcome, User) for outcome in outcomes) == 1
    refused = [outcome for outcome in outcomes if not isinstance(outcome, User)]
    assert all(isinstance(error, Conflict) for error in refused)
    assert {name for error in refused for name in error.reasons} == set(field)


@pytest.mark.django_db(transaction=True)
def test_a_device_and_a_sign_up_that_name_the_same_person_at_once_mean_one(app):
    def associate() -> None:
        with transaction.atomic():
            install = recognise_install(app=app, uid="i")
            change_install(install, AssociateUser(user_uid="crm-17"))
            install.save()

    ask = SignUp(app=app, login="dacia", password="p", external_id="crm-17")
    outcomes = at_once(lambda: sign_up(ask), associate)
    assert [error for error in outcomes if isinstance(error, Exception)] == []
    [user] = User.objects.filter(uid="crm-17")
    assert (user.login, user.anonymous) == ("dacia", False)
    assert Install.objects.get().user == user


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_one_password_at_once_one_does(app):
    user = sign_up(SignUp(app=app, login="dacia", password="p"))
    asks = [AccountWords(password=f"new-{n}", old_password="p") for n in range(3)]
    tasks = [lambda a=ask: change_account(ChangeAccount(user=user, said=a)) for ask in asks]
    outcomes = at_once(*tasks)
    changed = [outcome for outcome in outcomes if isinstance(outcome, User)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Invalid)]
    assert len(changed) >= 1
    assert len(changed) + len(refused) == 3
    assert all(dict(error.reasons) == {"old_password": [INVALID]} for error in refused)


@pytest.mark.django_db(transaction=True)
def test_a_device_signing_in_while_the_account_is_deleted_ends_signed_out(app):
    user = sign_up(SignUp(app=app, login="dacia", password="p", external_id="crm-17"))
    signing_in, deleting = Event(), Event()

    def associate() -> None:
        with transaction.atomic():
            install = recognise_install(app=app, uid="i")
            change_install(install, AssociateUser(user_uid="crm-17"))
            install.save()
            signing_in.set()
            deleting.wait(0.5)  # time to run into the lock

    def delete() -> None:
        signing_in.wait(10)
        delete_account(user)
        deleting.set()

    outcomes = at_once(associate, delete)
    assert outcomes == [None, None]
    assert Install.objects.get().user.uid == "i"
    assert not User.objects.filter(login="dacia").exists()


# the directory


def test_somebody_is_found_by_each_of_their_names(app, enter):
    user = enter("dacia", email="d@domain.com", external_id="crm-17", external_user_id=5)
    assert find_by_id(app=app, number=user.pk) == user
    assert find_by_login(app=app, login="dacia") == user
    assert find_by_email(app=app, email="d@domain.com") == user
    assert find_by_external_id(app=app, name="5") == user
    assert find_by_external_id(app=app, name="crm-17") == user


def test_an_external_user_id_is_looked_for_before_an_external_id(enter, app):
    enter("named", external_id="5")
    numbered = enter("numbered", external_id="n", external_user_id=5)
    assert find_by_external_id(app=app, name="5") == numbered


@pytest.mark.parametrize("name", ["\0", "9" * 30, "9" * 19, "²", "-1", "nobody", "", "i"])
def test_nobody_is_found_under_other_names(app, enter, phones, name):
    made_up = enter("dacia")
    phones.install("i")
    for look in (
        lambda: find_by_login(app=app, login=name),
        lambda: find_by_email(app=app, email=name),
        lambda: find_by_external_id(app=app, name=name),
        lambda: find_by_external_id(app=app, name=made_up.uid),
        lambda: find_by_id(app=app, number=2**70),
        lambda: find_by_id(app=create_app(name="Other").app, number=made_up.pk),
    ):
        with pytest.raises(NotFound):
            look()


def logins(users) -> list[str | None]:
    return [user.login for user in users]


def test_people_are_listed_by_tags_and_by_parts_of_their_name(app, enter, phones):
    phones.install("i")
    enter("one", tags=["vip", "new"], full_name="Gabrielle 100% Corcoran")
    enter("two", tags=["Vip", "new"], full_name="GABRIEL")
    enter("three", tags=["vip"], app=create_app(name="Other").app)
    assert logins(tagged(app, ["vip", "other", "\0"])) == ["one"]
    assert logins(tagged(app, ["new"])) == ["one", "two"]
    assert logins(tagged(app, [])) == []
    assert logins(called(app, "gabri")) == ["one", "two"]
    assert logins(called(app, "0% c")) == ["one"]
    assert logins(called(app, "\0")) == []
    assert logins(search(app)) == ["one", "two"]


def test_conditions_are_joined_by_and(app, enter):
    enter("one", full_name="Same", profile={"phone": "1"})
    enter("two", full_name="Same", profile={"phone": "2"})
    same = Condition(field="full_name", operator=Operator.IN, values=["Same"])
    phone = Condition(field="phone", operator=Operator.IN, values=["2", "3"])
    assert logins(search(app, [same, phone])) == ["two"]


@pytest.mark.parametrize(
    ("field", "values", "among"),
    [
        ("login", ["one"], ["one"]),
        ("email", ["1@domain.com", "\0"], ["one"]),
        ("external_id", ["crm-1", "2"], ["one"]),
        ("external_user_id", [2, 2**80], ["two"]),
        ("phone", ["1"], ["one"]),
        ("facebook_id", ["f"], ["two"]),
        ("user_tags", ["vip"], ["one"]),
    ],
)
def test_whoever_has_nothing_is_none_of_them(app, enter, field, values, among):
    enter("one", email="1@domain.com", external_id="crm-1", profile={"phone": "1"}, tags=["vip"])
    enter("two", external_user_id=2, profile={"facebook_id": "f"})
    enter("three")
    having = [Condition(field=field, operator=Operator.IN, values=values)]
    lacking = [Condition(field=field, operator=Operator.NOT_IN, values=values)]
    assert logins(search(app, having)) == among
    assert logins(search(app, lacking)) == [n for n in ("one", "two", "three") if n not in among]


@pytest.mark.parametrize(
    ("field", "start", "found"),
    [
        ("full_name", "gab%", ["one"]),
        ("full_name", "gab", ["one", "two"]),
        ("login", "TW", ["two"]),
        ("external_id", "crm", ["one"]),
        ("external_id", "5", []),
        ("phone", "+44", ["two"]),
        ("phone", "\0", []),
    ],
)
def test_a_beginning_is_looked_for_in_any_case(app, enter, field, start, found):
    enter("one", full_name="Gab% rielle", external_id="CRM-1")
    enter("two", full_name="gabriel", external_user_id=5, profile={"phone": "+44123"})
    condition = Condition(field=field, operator=Operator.STARTS_WITH, values=[start])
    assert logins(search(app, [condition])) == found


@pytest.mark.parametrize(
    ("operator", "found"),
    [
        (Operator.IN, ["two"]),
        (Operator.NOT_IN, ["one", "three", "four"]),
        (Operator.AFTER, ["three"]),
        (Operator.FROM, ["two", "three"]),
        (Operator.BEFORE, ["one"]),
        (Operator.UNTIL, ["one", "two"]),
    ],
)
def test_moments_are_compared_as_they_are_shown(app, enter, operator, found):
    second = datetime(2020, 1, 1, 12, 0, 0, tzinfo=UTC)
    for login, seconds in (("one", -0.1), ("two", 0.9), ("three", 1.0), ("four", None)):
        user = enter(login)
        seen = None if seconds is None else second + timedelta(seconds=seconds)
        User.objects.filter(pk=user.pk).update(last_active_at=seen)
    asked = second + timedelta(microseconds=400)
    condition = Condition(field="last_request_at", operator=operator, values=[asked])
    assert logins(search(app, [condition])) == found


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order(field="login"), ["a-last", "b-first", "c-none"]),
        (Order(field="created_at", descending=True), ["c-none", "a-last", "b-first"]),
        (Order(field="external_id"), ["b-first", "a-last", "c-none"]),
        (Order(field="phone"), ["a-last", "b-first", "c-none"]),
        (Order(field="email"), ["b-first", "a-last", "c-none"]),
    ],
)
def test_a_list_goes_by_the_field_asked_for_and_then_by_id(app, enter, order, expected):
    enter("b-first", external_id="1", profile={"phone": "2"})
    enter("a-last", external_id="2", profile={"phone": "1"})
    enter("c-none")
    assert logins(search(app, order=order)) == expected


def test_the_limits_fit_the_columns():
    assert all(LONGEST[name] <= 255 for name in ("login", "email", "full_name"))
