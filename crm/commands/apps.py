"""Apps and the keys that open them."""

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from crm.commands.keys import issue_key, keep_key
from crm.errors import Conflict, Invalid
from crm.models import App, AppKey, Membership


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


def create_app(*, name: str, api_key: uuid.UUID | None = None) -> NewApp:
    """Create an app with one key for each door; only their fingerprints can be seen again.

    With an `api_key` it is the app's, or `Conflict`: a form sent twice makes one app.
    """
    return _create(App(name=name), api_key or uuid.uuid4())


@transaction.atomic
def create_test_twin(live: App, *, api_key: uuid.UUID | None = None) -> NewApp:
    """Create the test app of a live one: its settings, its operators, nobody of its people.

    What is sent through a twin reaches the simulator only (docs/adr/0022). Raises `Conflict` where
    there is one already, and `Invalid` for a test app.
    """
    if live.is_test:
        raise Invalid("is a test app itself", field="app")
    said = {name: getattr(live, name) for name in SETTINGS}
    name = f"{live.name[: NAME_LIMIT - len(TWIN)]}{TWIN}"
    twin = App(name=name, mode=App.Mode.TEST, live_app=live, **said)
    made = _create(twin, api_key or uuid.uuid4())
    for member in Membership.objects.filter(app=live):
        Membership.objects.create(app=twin, operator_id=member.operator_id, role=member.role)
    return made


TWIN = " (test)"
NAME_LIMIT = 255


@transaction.atomic
def _create(app: App, api_key: uuid.UUID) -> NewApp:
    browsers = ec.generate_private_key(ec.SECP256R1())  # VAPID, RFC 8292 §3.2
    app.api_key, app.web_push_public_key = str(api_key), _public_half(browsers)
    try:
        with transaction.atomic():
            app.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("has been created already", field="app") from error
    keep_key(app, AppKey.Kind.VAPID, _private_half(browsers), readable=True)
    return NewApp(
        app=app,
        secret_key=issue_key(app, AppKey.Kind.DEVICE),
        server_key=issue_key(app, AppKey.Kind.SERVER),
        auth_key=issue_key(app, AppKey.Kind.AUTH),
        auth_secret=issue_key(app, AppKey.Kind.SIGNING),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeApp:
    """What an operator sets of an app: None stays as it is, an empty value clears."""

    app: App
    rate_limit: int | Literal[""] | None = None
    cap_pushes: int | Literal[""] | None = None
    cap_window: timedelta | None = None
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


def _public_half(key: ec.EllipticCurvePrivateKey) -> str:
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _base64url(point)


def _private_half(key: ec.EllipticCurvePrivateKey) -> str:
    return _base64url(key.private_numbers().private_value.to_bytes(32, "big"))


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
