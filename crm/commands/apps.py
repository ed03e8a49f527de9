"""Apps and the keys that open them."""

import secrets
import string
import uuid
from dataclasses import dataclass

from django.db import transaction

from crm.models import App, AppKey
from crm.sealing import fingerprint, seal

# one public client accepts only letters, digits and `+` in a server key (contracts/kumulos §1)
KEY_ALPHABET = string.ascii_letters + string.digits + "+"
KEY_LENGTH = 36


@dataclass(frozen=True, kw_only=True, slots=True)
class NewApp:
    """A fresh app and its keys in clear, for the only time."""

    app: App
    secret_key: str
    server_key: str
    auth_key: str
    auth_secret: str

    @property
    def api_key(self) -> str:
        """The public half of the Kumulos pairs."""
        return self.app.api_key


@transaction.atomic
def create_app(*, name: str) -> NewApp:
    """Create an app with one key for each door; only their fingerprints can be seen again."""
    app = App.objects.create(name=name, api_key=str(uuid.uuid4()))
    return NewApp(
        app=app,
        secret_key=_issue(app, AppKey.Kind.DEVICE),
        server_key=_issue(app, AppKey.Kind.SERVER),
        auth_key=_issue(app, AppKey.Kind.AUTH),
        auth_secret=_issue(app, AppKey.Kind.SIGNING),
    )


def _issue(app: App, kind: AppKey.Kind) -> str:
    key = "".join(secrets.choice(KEY_ALPHABET) for _ in range(KEY_LENGTH))
    signs = kind is AppKey.Kind.SIGNING  # an HMAC key must be read again
    AppKey.objects.create(
        app=app, kind=kind, fingerprint=fingerprint(key), sealed=seal(key) if signs else None
    )
    return key
