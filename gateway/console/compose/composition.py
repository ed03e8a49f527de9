"""All of a form together: one ask, or every reason why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.core import signing
from django.db import transaction
from django.http import QueryDict

from crm.errors import DomainError
from crm.models import App
from delivery.audience import Audience
from delivery.commands.send import SendNotification, send_notification
from delivery.models import Notification
from delivery.models.notification import Lane
from gateway.console.compose.forms import AudienceForm, MessageForm, ScheduleForm

SALT = "console.compose"
GOOD_FOR = 3600
"""Seconds a reviewed form may lie before it is sent; its counts are of another time then."""

ASK_TO_TYPE = 1000
"""From so many devices on, an operator types their number before they are sent to."""

FIELDS_OF_REFUSALS = {"audience": "__all__", "data": "custom", "message": "body", "send_at": "at"}


class Composition:
    """What one operator says of one push, bound to the three forms it is said in."""

    def __init__(
        self, app: App, said: QueryDict | None = None, *, message: dict[str, Any] | None = None
    ) -> None:
        self.app = app
        self.said = said
        self.message = MessageForm(said, initial=message)
        self.audience = AudienceForm(app, said)
        self.schedule = ScheduleForm(said)

    @property
    def errors(self) -> Mapping[str, list[str]]:
        """Every reason against it, by field; `__all__` is about whom it is for."""
        found: dict[str, list[str]] = {}
        for form in (self.message, self.audience, self.schedule):
            for name, reasons in form.errors.items():
                found.setdefault(name, []).extend(str(reason) for reason in reasons)
        return found

    def ask(self, *, operator: str) -> SendNotification:
        """Give the command; only where there are no errors."""
        return SendNotification(
            app=self.app,
            source=Notification.Source.CONSOLE,
            message=self.message.message,
            audience=self.audience.audience,
            schedule=self.schedule.schedule,
            time_to_live=self.schedule.time_to_live,
            lane=self.schedule.asked_lane,
            name=self.schedule.cleaned_data["name"],
            operator=operator,
        )

    def test(self, installs: tuple[str, ...], *, operator: str) -> SendNotification:
        """Give the command that sends the message, as it is, to a few installs now."""
        return SendNotification(
            app=self.app,
            source=Notification.Source.CONSOLE,
            message=self.message.message,
            audience=Audience(install_uids=installs),
            lane=Lane.URGENT,
            name="Test",
            operator=operator,
        )


def rehearse(ask: SendNotification) -> int:
    """Store an ask as it would be, take it back, and give how many firings it had.

    Raises what storing it raises. Nothing is rung for: what is taken back was never committed.
    """
    with transaction.atomic():
        notification = send_notification(ask)
        firings = notification.occurrences.count()
        transaction.set_rollback(True)
    return firings


def refusal_by_field(error: DomainError) -> Mapping[str, list[str]]:
    """Give a refusal of the domain under the names of our fields."""
    known = {*MessageForm.base_fields, *AudienceForm.base_fields, *ScheduleForm.base_fields}
    found: dict[str, list[str]] = {}
    for field, reasons in error.reasons.items():
        name = FIELDS_OF_REFUSALS.get(field, field)
        found.setdefault(name if name in known else "__all__", []).extend(reasons)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviewed:
    """What a form was found to be when it was looked at: it is sent as that, once.

    `phrase` is what the operator types before it is; empty for a small audience.
    """

    ticket: UUID
    app_id: int
    phrase: str

    def signed(self) -> str:
        """Give it as a text only we can have written."""
        return signing.dumps([str(self.ticket), self.app_id, self.phrase], salt=SALT)

    @classmethod
    def read(cls, text: str) -> "Reviewed":
        """Read such a text; raises `BadSignature` where it is another's, or old."""
        ticket, app_id, phrase = signing.loads(text, salt=SALT, max_age=GOOD_FOR)
        return cls(ticket=UUID(ticket), app_id=app_id, phrase=phrase)


def review(app: App, devices: int | None) -> Reviewed:
    """Give what is to be confirmed; who cannot be counted is taken for many."""
    phrase = ""
    if devices is None:
        phrase = app.name.strip() or "send"
    elif devices >= ASK_TO_TYPE:
        phrase = str(devices)
    return Reviewed(ticket=uuid4(), app_id=app.pk, phrase=phrase)
