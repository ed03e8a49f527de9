"""Provider credentials: checked, then stored sealed."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from django.conf import settings
from django.db import transaction

from crm import clock
from crm.errors import Invalid
from crm.models import App
from delivery.breaker import close_breakers
from delivery.expiry import end_of
from delivery.models import Batch, ProviderCredential
from delivery.providers.apns.access import read_access
from delivery.providers.apns.certificate import topics_of
from delivery.providers.contract import Credentials
from delivery.providers.simulated import stray_address

Kind = ProviderCredential.Kind
Kept = Literal["kept"]
KEPT: Kept = "kept"
ACCOUNT_FIELDS = ("project_id", "client_email", "private_key", "token_uri")


@dataclass(frozen=True, kw_only=True)
class StoreCredential:
    """What lets an app in at one provider, as an operator hands it over.

    `topic` is the bundle id of tokens registered without one; with `only_topic` the credential
    serves no other. `endpoint` and `ca_pem` aim it at another address than the provider's own.
    `pace` is in pushes a second: None leaves it to the provider, 0 sends as fast as we can. What is
    not said stays as the credential it takes the place of has it.
    """

    app: App
    provider: str
    secret: str
    key_id: str = ""
    team_id: str = ""
    topic: str = ""
    only_topic: bool = False
    environment: str = ""
    endpoint: str = ""
    ca_pem: str = ""
    pace: int | Kept | None = KEPT


@transaction.atomic
def store_credential(ask: StoreCredential) -> ProviderCredential:
    """Store a credential, in place of the one for the same use; raises `Invalid` for a broken one.

    Workers take up a replaced one with their next batch, and what a breaker held flows again.
    """
    kind, facts = _read_account(ask) if ask.provider == "fcm" else _read_apns(ask)
    if ask.app.is_test:
        ask = _aimed_at_simulator(ask, kind)
    use = {
        "app": ask.app,
        "provider": ask.provider,
        "environment": ask.environment,
        "topic": ask.topic if ask.only_topic else "",
    }
    credential = ProviderCredential.objects.select_for_update().filter(**use).first()
    if credential is None:
        credential = ProviderCredential(**use, mode=ask.app.mode, version=0)
    credential.kind, credential.facts, credential.secret = kind, facts, ask.secret
    credential.endpoint, credential.ca_pem = ask.endpoint, ask.ca_pem
    if ask.pace != KEPT:
        credential.pace = ask.pace
    credential.warned_days = None
    credential.version += 1
    credential.updated_at = clock.now()
    credential.save()
    close_breakers(credential.breakers.all(), forget=True)
    _wake_without(ask.app)
    return credential


def _aimed_at_simulator(ask: StoreCredential, kind: Kind) -> StoreCredential:
    """Give the ask of a test app, aimed at the simulator; raises `Invalid` for any other aim."""
    if not ask.endpoint:
        aim, ca_file = settings.SIMULATORS[ask.provider], settings.SIMULATOR_CA_FILE
        ca_pem = Path(ca_file).read_text(encoding="utf-8") if ca_file else ask.ca_pem
        ask = replace(ask, endpoint=aim, ca_pem=ca_pem)
    aimed = Credentials(
        id=0,
        provider=ask.provider,
        kind=kind,
        secret=ask.secret,
        facts={},
        endpoint=ask.endpoint,
        test=True,
    )
    if stray := stray_address(aimed, simulators=settings.SIMULATORS.values()):
        raise Invalid(
            f"of a test app must be the simulator's, not {stray}"
            " (GATEWAY_SIMULATOR_APNS, GATEWAY_SIMULATOR_FCM)",
            field="endpoint",
        )
    return ask


def _wake_without(app: App) -> None:
    """Have batches for which there was no credential looked at now."""
    waiting = Batch.objects.filter(
        occurrence__notification__app=app, credential=None, state=Batch.State.WAITING
    )
    waiting.update(next_attempt_at=clock.now())


def _read_apns(ask: StoreCredential) -> tuple[Kind, dict[str, str]]:
    kind = Kind.CERTIFICATE if "BEGIN CERTIFICATE" in ask.secret else Kind.KEY
    facts = {"key_id": ask.key_id, "team_id": ask.team_id, "topic": ask.topic}
    if kind is Kind.KEY:
        for name in ("key_id", "team_id", "topic"):
            if not facts[name]:
                raise Invalid("is needed with a signing key", field=name)
    try:
        if kind is Kind.CERTIFICATE:
            topics = topics_of(ask.secret)
            facts = {
                "topic": ask.topic or topics[0],
                "topics": " ".join(topics),
                "not_after": end_of(ask.secret).isoformat(),
            }
        read_access(Credentials(id=0, provider="apns", kind=kind, secret=ask.secret, facts=facts))
    except ValueError as error:
        raise Invalid(str(error), field="secret") from error
    return kind, facts


def _read_account(ask: StoreCredential) -> tuple[Kind, dict[str, str]]:
    try:
        account = json.loads(ask.secret)
    except ValueError as error:
        raise Invalid("is not JSON", field="secret") from error
    if not isinstance(account, dict):
        raise Invalid("is not a service account", field="secret")
    for name in ACCOUNT_FIELDS:
        if not isinstance(account.get(name), str):
            raise Invalid(f"has no {name}", field="secret")
    return Kind.SERVICE_ACCOUNT, {name: account[name] for name in ACCOUNT_FIELDS[:2]}
