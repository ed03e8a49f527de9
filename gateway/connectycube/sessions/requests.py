"""Wire → who asks for a session, in the order the contract judges it (§4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework.exceptions import ValidationError

from crm.commands.accounts import SignUp
from crm.commands.sessions import SKEW, use_nonce
from crm.errors import NotFound
from crm.models import App, AppKey
from crm.sealing import fingerprint
from gateway.connectycube.errors import BLANK, INVALID, UNSUPPORTED, Unprocessable
from gateway.connectycube.members import is_blank
from gateway.connectycube.sessions.signature import is_signed
from gateway.rest.bracketed import Unreadable

INT8 = 2**63 - 1
ID_DIGITS = 10
YES = frozenset({"1", "true"})
NAMES = ("login", "email")


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """A login or an e-mail, which `name` says, and a password."""

    name: str
    value: str
    password: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionAsk:
    """A request for a session that has passed every check but the password's."""

    app: App
    timestamp: int | None
    nonce: int | None
    credentials: Credentials | None = None
    guest: SignUp | None = None


def read_application(said: Mapping[str, Any]) -> App:
    """Give the application that asks: it is judged first, then its key."""
    app = read_app(said)
    _check_key(app, said)
    return app


def read_session(app: App, said: Mapping[str, Any]) -> SessionAsk:
    """Give what an application asks for: the signature and its clock are judged, then the user."""
    _check_signature(app, said)
    if said.get("provider") is not None:
        raise ValidationError({"provider": [UNSUPPORTED]})
    user = said.get("user")
    if user is not None and not isinstance(user, Mapping):
        raise ValidationError({"user": [INVALID]})
    guest = _read_guest(app, user or {})
    return SessionAsk(
        app=app,
        timestamp=_whole(said.get("timestamp")),
        nonce=_whole(said.get("nonce")),
        credentials=read_credentials(user) if user and guest is None else None,
        guest=guest,
    )


def read_app(said: Mapping[str, Any]) -> App:
    """Give the application that is named; raises `NotFound` for any other."""
    named = said.get("application_id")
    if is_blank(named):
        raise ValidationError({"application_id": [BLANK]})
    text = str(named)
    if not (text.isascii() and text.isdigit() and len(text) <= ID_DIGITS):
        raise NotFound("No such application.")
    app = App.objects.filter(pk=min(int(text), 2**31 - 1)).first()
    if app is None:
        raise NotFound("No such application.")
    return app


def read_credentials(said: Mapping[str, Any]) -> Credentials:
    """Give who wants to sign in; raises where the name or the password is missing."""
    reasons: dict[str, list[str]] = {}
    name = next((name for name in NAMES if said.get(name)), "")
    if not name:
        reasons["base"] = ["login or email can't be blank"]
    elif not isinstance(said[name], str):
        reasons[name] = [INVALID]
    password = said.get("password")
    if is_blank(password):
        reasons["password"] = [BLANK]
    elif not isinstance(password, str):
        reasons["password"] = [INVALID]
    if reasons:
        raise ValidationError(reasons)
    return Credentials(name=name, value=said[name], password=str(password))


def _check_key(app: App, said: Mapping[str, Any]) -> None:
    key = said.get("auth_key")
    if is_blank(key):
        raise ValidationError({"auth_key": [BLANK]})
    keys = AppKey.objects.live().filter(app=app, kind=AppKey.Kind.AUTH)
    if not keys.filter(fingerprint=fingerprint(str(key))).exists():
        raise ValidationError({"auth_key": [INVALID]})


def _check_signature(app: App, said: Mapping[str, Any]) -> None:
    if is_blank(said.get("signature")):
        if app.cube_signature_required:
            raise Unprocessable("Unexpected signature")
        return
    timestamp = _whole(said.get("timestamp"))
    if timestamp is None or abs(timestamp - timezone.now().timestamp()) > SKEW / SECOND:
        raise ValidationError({"timestamp": ["invalid timestamp"]})
    try:
        signed = is_signed(app, said)
    except Unreadable:  # nested deeper than any client signs
        signed = False
    if not signed:
        raise Unprocessable("Unexpected signature")
    use_nonce(app=app, timestamp=timestamp, nonce=str(said.get("nonce", "")))


SECOND = timedelta(seconds=1)


def _read_guest(app: App, user: Mapping[str, Any]) -> SignUp | None:
    if str(user.get("guest", "")).lower() not in YES:
        return None
    name = user.get("full_name")
    return SignUp(app=app, guest=True, full_name=None if name is None else str(name))


def _whole(said: Any) -> int | None:
    """Give a whole number however it is written; some clients send fractions of a second."""
    try:
        number = int(float(said))
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -INT8 <= number <= INT8 else None
