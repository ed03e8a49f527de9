"""One reader's turn: read, post, and move on, wait, hold one install back, or give up."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from time import monotonic, time
from typing import NamedTuple, Protocol

from cryptography.fernet import InvalidToken

from crm import clock
from delivery.models import Webhook, WebhookDelivery, WebhookReader
from delivery.webhooks import readers
from delivery.webhooks.client import Answer, Client
from delivery.webhooks.events import Page, Position, read_events
from delivery.webhooks.messages import Message, message_of
from delivery.webhooks.patience import NARROWER, wait_after
from delivery.webhooks.stream import number_events

log = logging.getLogger(__name__)

Kind, State = WebhookReader.Kind, WebhookDelivery.State

TURN = 5.0
"""Seconds one reader is told its events before others have a turn."""

DOUBTED_AT = 3
"""Failures in a row after which one event alone is set aside with its install."""

MOST_HELD = 100
"""Installs of a webhook held back at once; where more would be, it is not the events."""


class Caller(Protocol):
    """Whoever posts: a client of one webhook."""

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Give what became of a call."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


Calls = Callable[[str], Caller]


def tell_next(*, calls: Calls = Client) -> bool:
    """Give what happened its order, then one reader its turn; False where nobody has anything."""
    numbered = number_events(now=clock.now())
    reader = readers.take_reader(now=clock.now())
    if reader is not None:
        _Turn(reader, calls).run()
    return bool(numbered) or reader is not None


class Batch(NamedTuple):
    """Events to be told in one request, where they end, and whose were passed over."""

    message: Message | None
    events: int
    subject: int | None  # of the first of them
    end: Position
    passed: set[int]


class _Turn:
    """A reader's turn, over one connection."""

    def __init__(self, reader: WebhookReader, calls: Calls) -> None:
        self.reader, self.webhook = reader, reader.webhook
        self.ends_at = monotonic() + TURN
        self.caller = calls(self.webhook.url)
        self.secrets: list[str] = []

    def run(self) -> None:
        try:
            # the newest first
            self.secrets = [kept.secret for kept in self.webhook.secrets.live().order_by("-pk")]
            while self._tell_some():
                if monotonic() > self.ends_at:
                    readers.let_go(self.reader)
                    return
        except InvalidToken:
            readers.stop(self.webhook.pk, because="Its secret was sealed with a key that is gone.")
        finally:
            self.caller.close()

    def _tell_some(self) -> bool:
        """Tell the next few events; False where the turn is over."""
        if not readers.keep_reader(self.reader):
            return False
        batch = self._read()
        if batch is None:
            readers.rest(self.reader)
            return False
        if batch.message is None:
            return readers.move_on(self.reader, batch.end, passed=batch.passed)
        delivery = begin(self.reader, batch)
        headers = batch.message.headers(at=int(time()), secrets=self.secrets)
        answer = self.caller.post(batch.message.body, headers)
        return self._settle(batch, delivery, answer)

    def _read(self) -> Batch | None:
        reader, held = self.reader, readers.held_back(self.reader)
        most = min(self.webhook.most_events, reader.width or self.webhook.most_events)
        page: Page = read_events(readers.stretch_of(reader), most=most, keep_subject=reader.subject)
        if page.end is None:
            return None
        told = [event for event in page.events if event.subject not in held]
        passed = {event.subject for event in page.events} & held
        message = message_of(self.webhook.pk, told) if told else None
        subject = told[0].subject if told else None
        return Batch(message, len(told), subject, page.end, passed)

    def _settle(self, batch: Batch, delivery: WebhookDelivery, answer: Answer) -> bool:
        note(delivery, answer)
        if answer.ok:
            return self._succeeded(batch, delivery)
        log.warning(
            "webhook %d: %d events not taken: %s",
            self.webhook.pk,
            batch.events,
            answer.status or answer.said,
        )
        if answer.gone:
            readers.stop(self.webhook.pk, because="The receiver answered 410: it wants no more.")
        else:
            self._failed(batch, delivery, answer)
        return False

    def _succeeded(self, batch: Batch, delivery: WebhookDelivery) -> bool:
        reader = self.reader
        if reader.width is not None:
            wider = reader.width * NARROWER
            reader.width = wider if wider < self.webhook.most_events else None
        moved = readers.move_on(reader, batch.end, passed=batch.passed)
        # it was taken, whoever has the reader now
        _close(delivery, State.DELIVERED)
        Webhook.objects.filter(pk=self.webhook.pk).update(last_ok_at=clock.now())
        return moved

    def _failed(self, batch: Batch, delivery: WebhookDelivery, answer: Answer) -> None:
        reader = self.reader
        reader.attempts += 1
        wait = wait_after(reader.attempts, wish=answer.retry_after)
        if wait is None:
            self._give_up(batch, delivery, answer)
        elif answer.about_content and batch.events > 1:
            self._narrow(batch, delivery, wait)
        elif answer.about_content and self._may_hold(batch):
            assert batch.subject is not None
            readers.hold_back(reader, batch.subject, to=batch.end, wait=wait)
        else:
            readers.put_off(reader, wait=wait)

    def _narrow(self, batch: Batch, delivery: WebhookDelivery, wait: timedelta) -> None:
        """Send fewer the next time: it may be one of them, or that they are so many."""
        reader = self.reader
        reader.width = max(1, batch.events // NARROWER)
        reader.narrowed_at = reader.narrowed_at or clock.now()
        reader.delivery = None
        _close(delivery, State.DIVIDED)
        readers.put_off(reader, wait=wait)

    def _may_hold(self, batch: Batch) -> bool:
        """Say whether it is this one event: others are taken, or it is the first we doubt."""
        reader = self.reader
        if reader.kind != Kind.LANE or reader.attempts < DOUBTED_AT or batch.subject is None:
            return False
        holds = self.webhook.readers.filter(kind=Kind.HOLD)
        if not holds.filter(lane=reader.lane).exists():
            return True
        since = reader.narrowed_at or clock.now()
        works = Webhook.objects.filter(pk=self.webhook.pk, last_ok_at__gt=since).exists()
        return works and holds.count() < MOST_HELD

    def _give_up(self, batch: Batch, delivery: WebhookDelivery, answer: Answer) -> None:
        """End what was tried for three days: one install's event, a replay, or the webhook."""
        reader = self.reader
        if reader.kind == Kind.REPLAY:
            _close(delivery, State.GIVEN_UP)
            readers.ours(reader).delete()
        elif reader.kind == Kind.LANE or not answer.about_content:
            why = f"Nothing was taken in {reader.attempts} tries over three days; at last: "
            readers.stop(self.webhook.pk, because=why + answer_text(answer))
        elif batch.events > 1:
            self._narrow(batch, delivery, timedelta())
        else:
            _close(delivery, State.GIVEN_UP)
            if readers.move_on(reader, batch.end, passed=set()):
                readers.let_go(reader)


def begin(reader: WebhookReader, batch: Batch) -> WebhookDelivery:
    """Give the row of a message about to be sent: the one it was tried under before, or a new."""
    assert batch.message is not None
    known = reader.delivery
    if known is not None and known.message_id == batch.message.id:
        known.state, known.tried_at = State.SENDING, clock.now()
        known.save(update_fields=["state", "tried_at"])
        return known
    if known is not None:
        # what it held is told otherwise from now on
        _close(known, State.DIVIDED)
    reader.delivery = WebhookDelivery.objects.create(
        webhook=reader.webhook,
        message_id=batch.message.id,
        state=State.SENDING,
        replay=reader.kind == Kind.REPLAY,
        lane=reader.lane,
        subject=reader.subject,
        events=batch.events,
        after_seq=reader.seq,
        after_part=reader.part,
        until_seq=batch.end.seq,
        until_part=batch.end.part,
        tried_at=clock.now(),
    )
    readers.ours(reader).update(delivery=reader.delivery)
    return reader.delivery


def note(delivery: WebhookDelivery, answer: Answer) -> None:
    """Keep what was answered."""
    delivery.attempts += 1
    delivery.status, delivery.answer = answer.status, answer.said
    delivery.milliseconds, delivery.state = answer.milliseconds, State.WAITING
    delivery.save(update_fields=["attempts", "status", "answer", "milliseconds", "state"])


def answer_text(answer: Answer) -> str:
    """Give an answer in a few words."""
    return f"{answer.status} {answer.said}".strip() if answer.status else answer.said


def _close(delivery: WebhookDelivery, state: str) -> None:
    delivery.state = state
    delivery.save(update_fields=["state"])
