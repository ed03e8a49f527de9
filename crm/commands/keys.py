"""The keys of an app: issued, rotated with an overlap, revoked."""

import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F
from django.db.models.functions import Coalesce, Least, Now

from crm.errors import Conflict, Invalid, NotFound
from crm.models import App, AppKey
from crm.sealing import fingerprint, seal

# one public client accepts only letters, digits and `+` in a server key (contracts/kumulos §1)
KEY_ALPHABET = string.ascii_letters + string.digits + "+"
KEY_LENGTH = 36
TEST_PREFIX = "test"
"""How every secret of a test app begins; an underscore is not in the alphabet."""

ROTATED = (AppKey.Kind.DEVICE, AppKey.Kind.SERVER, AppKey.Kind.AUTH, AppKey.Kind.SIGNING)
"""The kinds that can be rotated. Browsers are subscribed under the VAPID key: it stays."""

LONGEST_OVERLAP = timedelta(days=365)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A fresh key in clear, for the only time, and until when those before it still open."""

    kind: AppKey.Kind
    secret: str
    old_until: datetime | None


def issue_key(app: App, kind: AppKey.Kind) -> str:
    """Give a new key in clear, kept as a fingerprint; one that signs is kept sealed, too."""
    prefix = TEST_PREFIX if app.is_test else ""
    length = KEY_LENGTH - len(prefix)
    key = prefix + "".join(secrets.choice(KEY_ALPHABET) for _ in range(length))
    keep_key(app, kind, key, readable=kind is AppKey.Kind.SIGNING)
    return key


def keep_key(app: App, kind: AppKey.Kind, key: str, *, readable: bool) -> None:
    """Store what is kept of a key: its fingerprint, and the key itself sealed where it is read."""
    AppKey.objects.create(
        app=app, kind=kind, fingerprint=fingerprint(key), sealed=seal(key) if readable else None
    )


def live_keys(app: App) -> Sequence[AppKey]:
    """Give the keys that open something now, newest of each kind first."""
    return list(AppKey.objects.live().filter(app=app).order_by("kind", "-id"))


@transaction.atomic
def rotate_key(
    app: App, kind: AppKey.Kind, *, overlap: timedelta, newest_id: int | None = None
) -> NewKey:
    """Give a new key; those of its kind open for `overlap` more, and no longer than they would.

    With `newest_id` only if that is the newest key of its kind, or `Conflict`: a form sent twice
    rotates once. Raises `Invalid` for a kind that is not rotated and for a senseless overlap.
    """
    if kind not in ROTATED:
        raise Invalid("is not rotated: browsers are subscribed under it", field="kind")
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise Invalid(f"must be 0 to {LONGEST_OVERLAP.days} days", field="overlap")
    App.objects.select_for_update(no_key=True).get(pk=app.pk)
    living = AppKey.objects.live().filter(app=app, kind=kind)
    newest = living.order_by("-id").values_list("id", flat=True).first()
    if newest_id is not None and newest != newest_id:
        raise Conflict("this key has been rotated meanwhile", field="kind")
    until = ExpressionWrapper(Now() + overlap, output_field=DateTimeField())  # as keys are judged
    living.update(expires_at=Least(Coalesce(F("expires_at"), until), until))
    ends = None if newest is None else AppKey.objects.get(pk=newest).expires_at
    return NewKey(kind=kind, secret=issue_key(app, kind), old_until=ends)


def revoke_key(app: App, key_id: int) -> AppKey:
    """Have a key open nothing from now on; raises `NotFound`, and `Conflict` for the VAPID key."""
    key = AppKey.objects.live().filter(app=app, pk=key_id).first()
    if key is None:
        raise NotFound("no such key", field="id")
    if key.kind == AppKey.Kind.VAPID:
        raise Conflict("browsers are subscribed under it", field="id")
    AppKey.objects.filter(pk=key.pk).update(expires_at=Now())  # as keys are judged
    key.refresh_from_db()
    return key
