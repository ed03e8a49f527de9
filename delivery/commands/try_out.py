"""One push to one token through one credential, all the way a real one goes."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db import transaction

from crm import clock
from crm.errors import Invalid
from crm.models import DeviceToken
from delivery import tasks
from delivery.audience import Audience
from delivery.message import Message
from delivery.models import Batch, Delivery, Notification, Occurrence, ProviderCredential
from delivery.models.notification import Lane
from delivery.providers.contract import known_as

NAME = "Test push"
LIVES = timedelta(minutes=5)
TRANSPORTS = {"apns": ("apns", "apns_voip"), "fcm": ("fcm",)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What became of a test push; without a verdict, what it waits for."""

    verdict: str = ""
    reason: str = ""
    provider_ref: str = ""
    milliseconds: int | None = None
    waits_for: str = ""


def serves(credential: ProviderCredential, token: DeviceToken) -> bool:
    """Say whether pushes to a token may go through a credential."""
    return (
        token.app_id == credential.app_id
        and token.transport in TRANSPORTS[credential.provider]
        and credential.environment in {"", token.environment}
        and (credential.topic in {"", token.topic} or token.topic == "")
    )


@transaction.atomic
def send_test_push(credential: ProviderCredential, token: DeviceToken) -> Occurrence:
    """Store a push to this token through this credential, and ring; gives its firing.

    It is planned already: a worker sends and records it as any other. Raises `Invalid` where the
    credential does not serve the token, or the token is not alive.
    """
    if not serves(credential, token):
        raise Invalid("is not served by this credential", field="token")
    if token.state != DeviceToken.State.ALIVE:
        raise Invalid(f"is {token.state}: {token.state_reason}".rstrip(": "), field="token")
    now = clock.now()
    notification = Notification.objects.create(
        app_id=credential.app_id,
        source=Notification.Source.CONSOLE,
        name=NAME,
        message=Message(title=NAME, body="Sent from the admin of your push gateway.").as_json(),
        audience=Audience(install_uids=(token.install.uid,)).as_json(),
        schedule={},
        lane=Lane.URGENT,
        time_to_live=LIVES,
    )
    occurrence = Occurrence.objects.create(
        notification=notification,
        due_at=now,
        expires_at=now + LIVES,
        ledger_day=now.date(),
        state=Occurrence.State.SENDING,
        started_at=now,
        cursor=token.pk,
        targeted=1,
    )
    Batch.objects.create(
        occurrence=occurrence,
        app_id=credential.app_id,
        credential=credential,
        transport=token.transport,
        environment=token.environment,
        topic=token.topic,
        lane=Lane.URGENT,
        token_ids=[token.pk],
    )
    transaction.on_commit(partial(tasks.ring_for_batches, Lane.URGENT, 1))
    return occurrence


def answer_to(occurrence: Occurrence) -> Answer:
    """Give what the provider said, or what the push waits for."""
    found = Delivery.objects.filter(day=occurrence.ledger_day, occurrence_id=occurrence.pk).first()
    batch = Batch.objects.filter(occurrence=occurrence).order_by("id").first()
    if found is None:
        return Answer(waits_for=batch.last_reason if batch else "")
    began = occurrence.started_at or occurrence.created_at
    return Answer(
        verdict=found.verdict,
        reason=found.reason,
        provider_ref=known_as(
            found.provider_ref,
            verdict=found.verdict,
            transport=batch.transport if batch else None,
            occurrence_id=occurrence.pk,
            token_id=found.token_id,
        ),
        milliseconds=round((found.at - began) / timedelta(milliseconds=1)),
    )
