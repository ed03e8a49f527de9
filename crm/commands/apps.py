"""Apps and the keys that open them."""

import secrets
import string
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import ValidationError
from django.db import DataError, transaction

from crm.errors import Invalid
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
    browsers = ec.generate_private_key(ec.SECP256R1())  # VAPID, RFC 8292 §3.2
    app = App.objects.create(
        name=name, api_key=str(uuid.uuid4()), web_push_public_key=_public_half(browsers)
    )
    _keep(app, AppKey.Kind.VAPID, _private_half(browsers), readable=True)
    return NewApp(
        app=app,
        secret_key=_issue(app, AppKey.Kind.DEVICE),
        server_key=_issue(app, AppKey.Kind.SERVER),
        auth_key=_issue(app, AppKey.Kind.AUTH),
        auth_secret=_issue(app, AppKey.Kind.SIGNING),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeApp:
    """What an operator sets of an app: None stays as it is, an empty value clears."""

    app: App
    rate_limit: int | Literal[""] | None = None
    resend_uncertain: str | None = None
    kumulos_v2_status: int | None = None
    web_icon_url: str | None = None
    web_prompts: Mapping[str, Any] | None = None
    safari_push_id: str | None = None
    cube_signature_required: bool | None = None
    cube_creates_users: bool | None = None
    cube_default_environment: str | None = None
    cube_event_answer: str | None = None


SETTINGS = tuple(setting.name for setting in fields(ChangeApp) if setting.name != "app")


@transaction.atomic
def change_app(change: ChangeApp) -> App:
    """Set what is given and keep the rest; raises `Invalid` for what no app can have."""
    app = App.objects.select_for_update(no_key=True).get(pk=change.app.pk)
    said = {name: getattr(change, name) for name in SETTINGS}
    said = {name: value for name, value in said.items() if value is not None}
    for name, value in said.items():
        setattr(app, name, None if value == "" and _may_be_null(name) else value)
    check_prompts(app.web_prompts)
    try:
        app.clean_fields()
        if said:
            app.save(update_fields=said)
    except ValidationError as error:
        field, reasons = next(iter(error.message_dict.items()))
        raise Invalid(reasons[0], field=field) from error
    except DataError as error:
        raise Invalid("null characters are not allowed", field="web_prompts") from error
    return app


def _may_be_null(name: str) -> bool:
    return bool(App._meta.get_field(name).null)  # noqa: SLF001 - Django's own name for what is public


def check_prompts(prompts: object) -> None:
    """Raise `Invalid` unless these can be the prompts of web pages: named, so an object."""
    if not isinstance(prompts, dict):
        raise Invalid("must be a JSON object", field="web_prompts")


def _issue(app: App, kind: AppKey.Kind) -> str:
    key = "".join(secrets.choice(KEY_ALPHABET) for _ in range(KEY_LENGTH))
    # an HMAC key must be read again
    _keep(app, kind, key, readable=kind is AppKey.Kind.SIGNING)
    return key


def _keep(app: App, kind: AppKey.Kind, key: str, *, readable: bool) -> None:
    AppKey.objects.create(
        app=app, kind=kind, fingerprint=fingerprint(key), sealed=seal(key) if readable else None
    )


def _public_half(key: ec.EllipticCurvePrivateKey) -> str:
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _base64url(point)


def _private_half(key: ec.EllipticCurvePrivateKey) -> str:
    return _base64url(key.private_numbers().private_value.to_bytes(32, "big"))


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
