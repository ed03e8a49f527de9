"""Sessions: opened with an application's keys, perhaps for someone, and prolonged by use."""

import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from django.contrib.sessions.models import Session as Login
from django.db import IntegrityError, transaction
from django.utils import timezone

from crm.commands.attempts import Attempts
from crm.commands.sweeping import oldest, sweep
from crm.errors import DomainError
from crm.models import App, Session, UsedNonce, User
from crm.passwords import matches
from crm.sealing import fingerprint

LIFETIME = timedelta(hours=2)
"""How long a session lives after the last request made under it."""

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is known when someone was last seen."""

SKEW = timedelta(hours=1)
"""How far a signed request's clock may be from ours."""

TOKEN_BYTES = 18


class WrongPassword(DomainError):
    """No such user, or another password: which of the two is not said."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class TooManyAttempts(DomainError):
    """So many wrong passwords for one name that even the right one has to wait, in seconds."""

    def __init__(self, *, wait: int) -> None:
        super().__init__("Too Many Requests")
        self.wait = wait


class NonceUsed(DomainError):
    """The pair of timestamp and nonce has opened a session before."""

    def __init__(self) -> None:
        super().__init__("has already been used", field="nonce")


class Opened(NamedTuple):
    """A fresh session and its token in clear, for the only time."""

    session: Session
    token: str


def open_session(
    *, app: App, user: User | None = None, timestamp: int | None = None, nonce: int | None = None
) -> Opened:
    """Open a session of an application, or of someone in it."""
    token, now = secrets.token_hex(TOKEN_BYTES).upper(), timezone.now()
    session = Session.objects.create(
        app=app,
        user=user,
        token_fingerprint=fingerprint(token),
        timestamp=timestamp,
        nonce=nonce,
        created_at=now,
        updated_at=now,
        expires_at=_end(user, now),
    )
    _saw(user, now)
    return Opened(session, token)


def use_nonce(*, app: App, timestamp: int, nonce: str) -> None:
    """Take note that a signed request came; raises `NonceUsed` where it has come before."""
    try:
        with transaction.atomic():
            UsedNonce.objects.create(app=app, timestamp=timestamp, nonce=nonce)
    except IntegrityError as error:
        raise NonceUsed from error


def resume_session(token: str) -> Session | None:
    """Give the living session of a token, its life prolonged; None for any other token."""
    now = timezone.now()
    living = Session.objects.select_related("app", "user").filter(expires_at__gt=now)
    session = living.filter(token_fingerprint=fingerprint(token)).first()
    if session is not None:
        _prolong(session, now)
    return session


def authenticate(*, app: App, name: str, value: str, password: str) -> User:
    """Give whoever has this login or e-mail (`name` says which) and this password.

    Raises `WrongPassword`, and `TooManyAttempts` after many of those for one name.
    """
    attempts = Attempts(app_id=app.pk, name=value)
    if (wait := attempts.wait()) > 0:
        raise TooManyAttempts(wait=wait)
    user = User.objects.filter(app=app, **{name: value}).first()
    if not matches(password, user.password if user else None):
        attempts.failed()
        raise WrongPassword
    assert user is not None  # nobody's password never matches
    attempts.succeeded()
    return user


def log_in(session: Session, user: User) -> None:
    """Make it the user's own session from now on."""
    _hand_over(session, user)


def log_out(session: Session) -> None:
    """Leave it the application's session that it was."""
    _hand_over(session, None)


def close_session(session: Session) -> None:
    """End one session; the user's subscriptions stay."""
    Session.objects.filter(pk=session.pk).delete()


def close_other_sessions(session: Session) -> None:
    """End every other session of the same user."""
    if session.user_id is not None:
        Session.objects.filter(user=session.user_id).exclude(pk=session.pk).delete()


def forget_expired_sessions(*, now: datetime) -> None:
    """Delete sessions that are over, some at a time, and nonces no signed request could use again.

    Operators' sign-ins to the admin end the same way.
    """
    sweep(Login, oldest(Login.objects.filter(expire_date__lte=now).order_by("expire_date")))
    over = Session.objects.filter(expires_at__lte=now).order_by("expires_at")
    sweep(Session, oldest(over))
    unusable = int((now - 2 * SKEW).timestamp())
    spent = UsedNonce.objects.filter(timestamp__lt=unusable).order_by("timestamp")
    sweep(UsedNonce, oldest(spent))


def _hand_over(session: Session, user: User | None) -> None:
    now = timezone.now()
    session.user, session.updated_at, session.expires_at = user, now, _end(user, now)
    session.save(update_fields=["user", "updated_at", "expires_at"])
    _saw(user, now)


def _prolong(session: Session, now: datetime) -> None:
    until = _end(session.user, now)
    if until - session.expires_at >= timedelta(seconds=1):  # what the wire can tell apart
        session.expires_at = until
        Session.objects.filter(pk=session.pk).update(expires_at=until)
    _saw(session.user, now)


def _end(user: User | None, now: datetime) -> datetime:
    # a guest is gone after a day, whatever they do
    return user.guest_until if user and user.guest_until else now + LIFETIME


def _saw(user: User | None, now: datetime) -> None:
    if user is None or (user.last_active_at and now - user.last_active_at < SEEN_EVERY):
        return
    user.last_active_at = now
    user.first_active_at = user.first_active_at or now
    user.save(update_fields=["last_active_at", "first_active_at"])
