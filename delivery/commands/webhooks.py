"""Webhooks are made, changed, given another secret, stopped, started, and told again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from crm import clock
from crm.errors import Conflict, Invalid, NotFound
from crm.models import App
from delivery.models import Webhook, WebhookDelivery, WebhookReader, WebhookSecret
from delivery.models.webhook import LANES, Topic
from delivery.outbox import listeners
from delivery.webhooks import readers
from delivery.webhooks.addresses import Refused, usable
from delivery.webhooks.events import Position
from delivery.webhooks.signing import new_secret
from delivery.webhooks.stream import lock_stream, number_events_of

Kind = WebhookReader.Kind

OVERLAP = timedelta(days=1)
"""How long a secret still signs after another was made."""

MOST_EVENTS = 1_000
MOST_SECRETS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteWebhook:
    """Where to tell what, and how much of it in one request."""

    url: str
    topics: Sequence[str]
    most_events: int = 250


@dataclass(frozen=True, kw_only=True, slots=True)
class NewWebhook:
    """A fresh webhook and its secret in clear, for the only time."""

    webhook: Webhook
    secret: str


@transaction.atomic
def create_webhook(*, app: App, ask: WriteWebhook) -> NewWebhook:
    """Tell an address what happens from now on; raises `Invalid`."""
    check(ask)
    webhook = Webhook.objects.create(
        app=app, url=ask.url, topics=_in_order(ask.topics), most_events=ask.most_events
    )
    # what is there already is before its time
    number_events_of(app.pk, now=clock.now())
    last = lock_stream(app.pk)
    WebhookReader.objects.bulk_create(
        WebhookReader(webhook=webhook, kind=Kind.LANE, lane=lane, seq=last) for lane in range(LANES)
    )
    secret = _add_secret(webhook)
    transaction.on_commit(listeners.forget)
    return NewWebhook(webhook=webhook, secret=secret)


@transaction.atomic
def change_webhook(webhook: Webhook, *, ask: WriteWebhook) -> Webhook:
    """Tell another address, or other things; what waits is told there. Raises `Invalid`."""
    check(ask)
    webhook.url, webhook.topics = ask.url, _in_order(ask.topics)
    webhook.most_events = ask.most_events
    webhook.save(update_fields=["url", "topics", "most_events"])
    transaction.on_commit(listeners.forget)
    return webhook


def delete_webhook(webhook: Webhook) -> None:
    """Forget a webhook with all it was told; what waits for it is told no more."""
    webhook.delete()
    listeners.forget()


def check(ask: WriteWebhook) -> None:
    """Raise `Invalid` for what can be no webhook."""
    _check_url(ask.url)
    if not ask.topics or not set(ask.topics) <= set(Topic.values):
        raise Invalid(f"must be some of {', '.join(Topic.values)}", field="topics")
    if not 1 <= ask.most_events <= MOST_EVENTS:
        raise Invalid(f"must be from 1 to {MOST_EVENTS}", field="most_events")


def _check_url(url: str) -> None:
    """Refuse what cannot be called; an address that hides behind a name is looked at later."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise Invalid("has no port that could be", field="url") from error
    if parts.scheme not in {"https", "http"} or not parts.hostname or port == 0:
        raise Invalid("must be a URL like https://example.com/hook", field="url")
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > 2048:
        raise Invalid("must be of plain ASCII characters, 2048 at most", field="url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid("must have no user name, password or fragment", field="url")
    plain = parts.scheme == "http"
    if plain and not settings.WEBHOOK_ALLOW:
        raise Invalid("must begin with https://", field="url")
    try:
        named = str(ip_address(parts.hostname))
    except ValueError:
        return
    try:
        usable([named], allowed=settings.WEBHOOK_ALLOW, plain=plain)
    except Refused as refusal:
        raise Invalid(str(refusal), field="url") from refusal


def _in_order(topics: Iterable[str]) -> list[str]:
    wanted = set(topics)
    return [topic for topic in Topic.values if topic in wanted]


@transaction.atomic
def rotate_secret(webhook: Webhook, *, overlap: timedelta = OVERLAP) -> str:
    """Give a webhook another secret, in clear for the only time.

    Until `overlap` is over calls are signed with both, so that a receiver may change meanwhile.
    """
    Webhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
    live = webhook.secrets.live()
    if live.count() >= MOST_SECRETS:
        raise Conflict(f"{MOST_SECRETS} secrets sign at the moment; wait until one is over")
    live.filter(expires_at=None).update(expires_at=clock.now() + overlap)
    return _add_secret(webhook)


def _add_secret(webhook: Webhook) -> str:
    kept = WebhookSecret(webhook=webhook)
    kept.secret = secret = new_secret()
    kept.save()
    return secret


def stop_webhook(webhook: Webhook) -> None:
    """Tell it nothing until it is started; what happens meanwhile is kept."""
    readers.stop(webhook.pk, because="Stopped by an operator.")


def start_webhook(webhook: Webhook) -> None:
    """Go on telling it where it was stopped."""
    readers.start(webhook.pk)


def find_webhook(*, app: App, key: str) -> Webhook:
    """Give one of an app's webhooks; raises `NotFound`."""
    fits = key.isascii() and key.isdigit() and len(key) < 18
    webhook = Webhook.objects.filter(app=app, pk=int(key)).first() if fits else None
    if webhook is None:
        raise NotFound("No such webhook.")
    return webhook


@transaction.atomic
def replay_from(webhook: Webhook, *, after: Position) -> None:
    """Tell a webhook again whatever is kept after a position, in order, before anything new.

    Events have the ids they had. A request under way may be told twice.
    """
    lanes = webhook.readers.order_by("pk").select_for_update(no_key=True)
    for reader in list(lanes):
        if readers.place_of(reader) <= after:
            continue
        if reader.kind != Kind.LANE:
            reader.delete()  # its lane comes past there again
            continue
        reader.seq, reader.part = after
        reader.claims += 1  # whoever has it now finds it taken away
        reader.attempts, reader.width, reader.delivery = 0, None, None
        reader.lease_until = None
        reader.next_attempt_at = clock.now() if _is_active(webhook) else None
        reader.save()


def _is_active(webhook: Webhook) -> bool:
    return Webhook.objects.filter(pk=webhook.pk, active=True).exists()


@transaction.atomic
def replay_delivery(delivery: WebhookDelivery) -> None:
    """Tell the events of one delivery again, in their order, beside what is told meanwhile.

    One that still waits is not told twice: it is tried now.
    """
    waiting = WebhookReader.objects.filter(delivery=delivery)
    now = clock.now()
    if not _is_active(delivery.webhook):
        raise Conflict("The webhook is stopped; start it first.")
    if waiting.filter(lease_until=None).update(next_attempt_at=now) or waiting.exists():
        return
    if not delivery.message_id:
        raise Conflict("Its events are no longer kept.")
    WebhookReader.objects.create(
        webhook=delivery.webhook,
        kind=Kind.REPLAY,
        lane=delivery.lane,
        subject=delivery.subject,
        seq=delivery.after_seq,
        part=delivery.after_part,
        until_seq=delivery.until_seq,
        until_part=delivery.until_part,
        next_attempt_at=now,
    )
