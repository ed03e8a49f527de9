"""What a person is called, and who else is called so already.

A user has one `uid` on both sides: what Kumulos calls the user identifier is ConnectyCube's
`external_id`. Someone without one has a uid made up here, which nobody is shown: their
`external_user_id`, or else a word of ours.
"""

from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from crm.accounts import TAKEN, AccountWords, Reasons
from crm.errors import Conflict
from crm.models import App, User

CONSTRAINTS = {
    "user_uid_unique": "external_id",
    "user_login_unique": "login",
    "user_email_unique": "email",
    "user_external_user_id_unique": "external_user_id",
}
"""What a refusal of the database is about."""


def entrant(app: App, words: AccountWords, *, lock: bool = False) -> User:
    """Give who would sign up with these words: a person known only by name so far, or a new row.

    Nothing is stored yet. With `lock`, in a transaction, nobody else can become that person.
    """
    rows = User.objects.select_for_update() if lock else User.objects.all()
    uid = words.get("external_id") or _number(words)
    known = rows.filter(app=app, uid=uid).first() if uid else None
    user = known if known and _is_only_a_name(known) else User(app=app, created_at=timezone.now())
    apply_names(user, words)
    return user


def apply_names(user: User, words: AccountWords) -> None:
    """Set the names that are said; a name made up here follows what is left to make it of."""
    _rename(user, words)
    for name in ("login", "email", "external_user_id"):
        if name in words:
            setattr(user, name, words[name])


def taken(user: User, words: AccountWords) -> Reasons:
    """Give which of the names said, by now the user's own, are somebody else's already."""
    columns = ("login", "email", "external_user_id")
    names = {name: getattr(user, name) for name in columns if words.get(name) is not None}
    if outside := next((name for name in OUTSIDE if words.get(name) is not None), None):
        names["uid"] = user.uid
    if not names:
        return {}
    anyone = Q(*names.items(), _connector=Q.OR)
    rows = User.objects.filter(anyone, app=user.app).exclude(pk=user.pk).values(*names)
    clashes = {name for row in rows for name in names if row[name] == names[name]}
    in_order = [name for name in names if name in clashes]
    return {outside if name == "uid" and outside else name: [TAKEN] for name in in_order}


def settled(write: Callable[[], User]) -> User:
    """Run a write whose names somebody else may be taking at this moment; raises `Conflict`.

    It is run again where the database refuses: on a second look the other is there to be seen.
    """
    with suppress(IntegrityError), transaction.atomic():
        return write()
    try:
        with transaction.atomic():
            return write()
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        field = CONSTRAINTS.get(getattr(diagnosis, "constraint_name", ""))
        if field is None:
            raise
        raise Conflict(TAKEN, field=field) from error


def made_up_uid() -> str:
    """Give a uid that stands for no name."""
    return f"cube-{uuid4().hex}"


OUTSIDE = ("external_id", "external_user_id")


def _rename(user: User, words: AccountWords) -> None:
    if outside := words.get("external_id"):
        user.uid, user.uid_is_ours = outside, False
    elif _needs_a_name(user, words):
        user.uid, user.uid_is_ours = _number(words) or made_up_uid(), True


def _needs_a_name(user: User, words: AccountWords) -> bool:
    if not user.uid:
        return True
    if not user.uid_is_ours:
        return "external_id" in words
    return "external_user_id" in words and words["external_user_id"] != user.external_user_id


def _number(words: AccountWords) -> str | None:
    number = words.get("external_user_id")
    return None if number is None else str(number)


def _is_only_a_name(user: User) -> bool:
    return not (user.anonymous or user.login or user.email or user.password)
