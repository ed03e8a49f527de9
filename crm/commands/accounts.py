"""People who sign up: their account, what changes of it, its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from crm.accounts import BLANK, INVALID, AccountWords, Reasons, objections, sound, tidied
from crm.commands.account_names import apply_names, entrant, made_up_uid, settled, taken
from crm.commands.user_devices import drop_user_devices
from crm.errors import Conflict, Invalid, NotFound
from crm.models import App, Install, User
from crm.passwords import hashed, matches

GUEST_LIFE = timedelta(days=1)

AT_ONCE = 1000
"""Guests one look deletes; the next goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignUp:
    """Someone new: a password and one of `login` and `email` are needed.

    A guest needs nothing: they get a login and a day. What else would let them in, or make them
    someone already known, is not looked at: whoever they became would be gone with them.
    """

    app: App
    login: str | None = None
    email: str | None = None
    password: str | None = None
    external_id: str | None = None
    external_user_id: int | None = None
    full_name: str | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    guest: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeAccount:
    """What is new about someone; a profile changes key by key, tags are replaced."""

    user: User
    said: AccountWords


def sign_up(ask: SignUp) -> User:
    """Give the new account; raises `Invalid` or `Conflict` with the reasons of every bad field.

    The external id of someone known only by that name, from the Kumulos side, makes them that
    person: the same row with its attributes and installs. From then on the name is taken.
    """
    words = tidied(_words(ask))
    wrong = objections(words) | ({} if ask.guest else _missing(words))
    usable = sound(words, wrong)
    # all that is wrong is told before the slow hash
    _refuse(wrong, taken(entrant(ask.app, usable), usable))
    password = None if ask.guest else hashed(words["password"] or "")

    def enter() -> User:
        user = entrant(ask.app, words, lock=True)
        _refuse({}, taken(user, words))
        _describe(user, words)
        user.password = password
        return _stored(user, guest=ask.guest)

    return settled(enter)


def change_account(change: ChangeAccount) -> User:
    """Change what is said and keep the rest; raises as `sign_up` does, and `NotFound`.

    A new password needs the old one. A new external id renames the person on both sides. It may
    not be anybody's yet, not even of someone known only by that name: two people are never made
    one. Without it the name is made up again.
    """
    words = tidied(change.said)
    known = _known(change.user)
    old = known.password
    wrong = objections(words) | _password_objections(words, old) | _nameless(known, words)
    usable = sound(words, wrong)
    apply_names(known, usable)
    _refuse(wrong, taken(known, usable))
    new = hashed(words["password"] or "") if "password" in words else old

    def rewrite() -> User:
        user = _known(change.user, lock=True)
        _refuse(_nameless(user, words) | _outrun(user, words, old), {})
        apply_names(user, words)
        _refuse({}, taken(user, words))
        _describe(user, words)
        user.password = new if "password" in words else user.password
        return _stored(user)

    return settled(rewrite)


def delete_account(user: User) -> None:
    """Delete someone with their sessions; what they wrote stays, without author.

    Their subscriptions are retired, and installs are their anonymous users' again. Safe to repeat.
    """
    while not _deleted(user):
        pass  # a device signed in as them meanwhile; the next look finds it


def forget_guests(*, now: datetime) -> int:
    """Delete guests whose day is over, some at a time; gives their number."""
    over = User.objects.filter(guest_until__lte=now).order_by("guest_until")[:AT_ONCE]
    for guest in (guests := list(over)):
        delete_account(guest)
    return len(guests)


@transaction.atomic
def _deleted(user: User) -> bool:
    # locked in the order devices lock: an install, then its user
    locked = Install.objects.select_for_update(of=("self",), no_key=True)
    installs = list(locked.filter(user=user.pk).order_by("id"))
    known = User.objects.select_for_update().filter(pk=user.pk).first()
    if known is None:
        return True
    if known.installs.exclude(pk__in=[install.pk for install in installs]).exists():
        return False
    # an install named as they are must find an anonymous user of its own
    known.uid = made_up_uid()
    known.save(update_fields=["uid"])
    drop_user_devices(known)
    known.delete()
    return True


def _words(ask: SignUp) -> AccountWords:
    words = AccountWords(full_name=ask.full_name, profile=ask.profile, tags=ask.tags)
    if ask.guest:
        return words | AccountWords(login=f"guest_login_{uuid4().hex.upper()}")
    return words | AccountWords(
        login=ask.login,
        email=ask.email,
        password=ask.password,
        external_id=ask.external_id,
        external_user_id=ask.external_user_id,
    )


def _missing(words: AccountWords) -> Reasons:
    names = () if words.get("login") or words.get("email") else ("login", "email")
    password = () if words.get("password") else ("password",)
    return {name: [BLANK] for name in (*names, *password)}


def _nameless(user: User, words: AccountWords) -> Reasons:
    login, email = words.get("login", user.login), words.get("email", user.email)
    if login or email:
        return {}
    return {name: [BLANK] for name in ("login", "email") if name in words}


def _password_objections(words: AccountWords, stored: str | None) -> Reasons:
    if "password" not in words:
        return {}
    if not words["password"]:
        return {"password": [BLANK]}
    if not (old := words.get("old_password")):
        return {"old_password": [BLANK]}
    return {} if matches(old, stored) else {"old_password": [INVALID]}


def _outrun(user: User, words: AccountWords, old: str | None) -> Reasons:
    # of two new passwords at once, the second's old one is not the old one any more
    outrun = "password" in words and user.password != old
    return {"old_password": [INVALID]} if outrun else {}


def _refuse(wrong: Reasons, clashes: Reasons) -> None:
    if wrong:
        raise Invalid.of({**clashes, **wrong})
    if clashes:
        raise Conflict.of(clashes)


def _known(user: User, *, lock: bool = False) -> User:
    rows = User.objects.select_for_update(of=("self",)) if lock else User.objects.all()
    known = rows.select_related("app").filter(pk=user.pk).first()
    if known is None:
        raise NotFound("No such user.")
    return known


def _describe(user: User, words: AccountWords) -> None:
    if "full_name" in words:
        user.full_name = words["full_name"]
    if "tags" in words:
        user.tags = list(words["tags"])
    profile = {**user.profile, **words.get("profile", {})}
    user.profile = {name: value for name, value in profile.items() if value is not None}


def _stored(user: User, *, guest: bool = False) -> User:
    now = timezone.now()
    if guest:
        user.guest_until = now + GUEST_LIFE
    user.updated_at = now
    user.save()
    return user
