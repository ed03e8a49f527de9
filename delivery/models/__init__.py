"""What was asked, its firings, their slices, and what became of each push."""

from delivery.models.batch import Batch
from delivery.models.breaker import Breaker
from delivery.models.cap_taken import CapTaken
from delivery.models.credential import ProviderCredential
from delivery.models.delivery import Delivery
from delivery.models.inbox import InboxItem
from delivery.models.notification import Notification
from delivery.models.occurrence import Firing, Occurrence
from delivery.models.open import Open
from delivery.models.tally import HourTally, Tally
from delivery.models.ticket import Ticket
from delivery.models.webhook import (
    Webhook,
    WebhookDelivery,
    WebhookEvent,
    WebhookReader,
    WebhookSecret,
    WebhookStream,
)

__all__ = [
    "Batch",
    "Breaker",
    "CapTaken",
    "Delivery",
    "Firing",
    "HourTally",
    "InboxItem",
    "Notification",
    "Occurrence",
    "Open",
    "ProviderCredential",
    "Tally",
    "Ticket",
    "Webhook",
    "WebhookDelivery",
    "WebhookEvent",
    "WebhookReader",
    "WebhookSecret",
    "WebhookStream",
]
