"""When credentials end, and who is told in time."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.fernet import InvalidToken

from delivery.models import ProviderCredential

log = logging.getLogger(__name__)

WARNED_AT = (60, 30, 7, 1)
"""Days before the end at which it is said again, once each; and once more after it."""

ENDED = 0


class Expiry(NamedTuple):
    """A credential that ends at a moment, and how many whole days are left; below 0 it is over."""

    credential: ProviderCredential
    ends_at: datetime
    days: int

    @property
    def level(self) -> int | None:
        """The smallest of the warnings that is due, `ENDED` after the end, None before any."""
        if self.days < 0:
            return ENDED
        return min((days for days in WARNED_AT if self.days < days), default=None)

    def __str__(self) -> str:
        what = f"{self.credential}, topic {self.credential.facts.get('topic', '')}"
        if self.days < 0:
            return f"{what}: expired on {self.ends_at:%Y-%m-%d}"
        left = "in less than a day" if self.days == 0 else f"in {self.days} days"
        return f"{what}: expires {left}, on {self.ends_at:%Y-%m-%d}"


def ends_at(credential: ProviderCredential) -> datetime | None:
    """Give when a credential ends; None for signing keys and service accounts, which do not.

    None, too, for a certificate that cannot be read any more: sending with it says so.
    """
    if credential.kind != ProviderCredential.Kind.CERTIFICATE:
        return None
    if said := credential.facts.get("not_after"):
        return datetime.fromisoformat(said)
    try:  # stored before it was written down
        return end_of(credential.secret)
    except (InvalidToken, ValueError):
        return None


def end_of(pem: str) -> datetime:
    """Give until when a certificate is good."""
    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc


def expiries(credentials: Iterable[ProviderCredential], *, now: datetime) -> Sequence[Expiry]:
    """Give those that end, the nearest end first: days to expiry for pages and metrics alike."""
    dated = ((credential, ends_at(credential)) for credential in credentials)
    found = [Expiry(one, end, (end - now) // timedelta(days=1)) for one, end in dated if end]
    return sorted(found, key=lambda expiry: expiry.ends_at)


def ending() -> Iterable[ProviderCredential]:
    """Give the credentials that end at all, of all apps, in one query."""
    kind = ProviderCredential.Kind.CERTIFICATE
    return ProviderCredential.objects.filter(kind=kind).select_related("app").order_by("id")


def warned_of(apps: Iterable[int], *, now: datetime) -> Sequence[Expiry]:
    """Give what the operators of these apps are to be warned of, in one query."""
    credentials = ProviderCredential.objects.filter(
        kind=ProviderCredential.Kind.CERTIFICATE, app__in=list(apps)
    )
    found = expiries(credentials.select_related("app"), now=now)
    return [expiry for expiry in found if expiry.level is not None]


def log_warnings(*, now: datetime) -> int:
    """Write one line of the log for each warning that is due and was not given; gives how many."""
    told = 0
    for expiry in expiries(ending(), now=now):
        credential, level = expiry.credential, expiry.level
        if level is None or not _is_news(credential.warned_days, level):
            continue
        mine = ProviderCredential.objects.filter(
            pk=credential.pk, version=credential.version, warned_days=credential.warned_days
        )
        if mine.update(warned_days=level):  # one of several upkeeps says it
            log.log(logging.ERROR if level <= 1 else logging.WARNING, "%s", expiry)
            told += 1
    return told


def _is_news(said: int | None, level: int) -> bool:
    return said is None or level < said
