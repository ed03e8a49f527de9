"""Every simulated phone: made to order, found by token, tapped one by one or in crowds."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from simulator.phones.courier import Courier
from simulator.phones.events import registration
from simulator.phones.order import Order
from simulator.phones.phone import Notice, Phone
from simulator.tokens import TokenBook
from simulator.world import Landing


@dataclass
class PhoneBook:
    """The phones, and the counts shown above them."""

    tokens: TokenBook
    courier: Courier = field(default_factory=Courier)
    phones: dict[int, Phone] = field(default_factory=dict)
    by_token: dict[str, Phone] = field(default_factory=dict)
    numbers: int = 0
    version: int = 0  # grows with every change
    epoch: int = 0  # grows when phones are thrown away
    landed: int = 0
    opened: int = 0
    dismissed: int = 0

    async def start(self) -> None:
        """Begin delivering events."""
        await self.courier.start()

    async def stop(self) -> None:
        """Stop delivering events."""
        await self.courier.stop()

    async def clear(self) -> None:
        """Throw every phone away."""
        for phone in self.phones.values():
            self.tokens.forget(phone.token)
            phone.outbox.clear()
        self.courier.forget()
        self.phones, self.by_token = {}, {}
        self.landed = self.opened = self.dismissed = 0
        self.version += 1
        self.epoch += 1

    def make(self, order: Order) -> list[Phone]:
        """Make phones to order and let them register at their gateway."""
        made = []
        for index in range(order.count):
            phone = self._new(order, index)
            for event in registration(phone):
                phone.report(event)
            self._changed(phone)
            made.append(phone)
        return made

    async def settled(self, phones: list[Phone], seconds: float) -> int:
        """Wait until these phones have reported everything; return how many are registered."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for phone in phones:
                    while phone.outbox:
                        await self.courier.next_post()
        return sum(phone.registered for phone in phones)

    def land(self, landing: Landing) -> None:
        """Let an accepted push arrive at the phone that holds the token."""
        phone = self.by_token.get(landing.token)
        if phone is not None:
            phone.land(landing)
            self.landed += 1
            self._changed(phone)

    def touch(self, phone: Phone, notice: Notice, *, tapped: bool) -> bool:
        """Tap or dismiss one notice; false when that has happened before."""
        if not phone.touch(notice, tapped=tapped):
            return False
        if tapped:
            self.opened += 1
        else:
            self.dismissed += 1
        self._changed(phone)
        return True

    def touch_many(
        self,
        notification_id: int | None,
        fraction: float | None,
        count: int | None,
        *,
        tapped: bool,
    ) -> int:
        """Tap or dismiss the newest fitting notice on some phones; return on how many.

        Those touched are spread evenly over all that could be, so that every platform has some.
        """
        waiting = list(self._waiting(notification_id))
        wanted = count if count is not None else round(len(waiting) * (fraction or 0.0))
        chosen = min(wanted, len(waiting))
        for place in range(chosen):
            self.touch(*waiting[place * len(waiting) // chosen], tapped=tapped)
        return chosen

    def counts(self) -> dict[str, int]:
        """Return the counts shown above the phones."""
        return {
            "phones": len(self.phones),
            "registered": sum(phone.registered for phone in self.phones.values()),
            "landed": self.landed,
            "opened": self.opened,
            "dismissed": self.dismissed,
            "pending_events": sum(len(phone.outbox) for phone in self.phones.values()),
            "lost_events": sum(phone.lost for phone in self.phones.values()),
        }

    def _waiting(self, notification_id: int | None) -> Iterator[tuple[Phone, Notice]]:
        for phone in self.phones.values():
            for notice in phone.notices:
                fits = notification_id in {None, notice.reading.notification_id}
                if fits and notice.state == "shown":
                    yield phone, notice
                    break

    def _new(self, order: Order, index: int) -> Phone:
        self.numbers += 1
        ios = order.platform == "ios"
        topic = order.topic if ios else order.project
        environment = order.environment if ios else "any"
        token = self.tokens.issue("apns" if ios else "fcm", topic, environment=environment)
        made_up = str(uuid.uuid4())
        name = order.name or ("iPhone" if ios else "Android")
        phone = Phone(
            number=self.numbers,
            platform=order.platform,
            name=name if order.count == 1 and order.name else f"{name} {index + 1}",
            install_id=order.install_id or (made_up.upper() if ios else made_up),
            token=token.value,
            topic=order.topic,
            gateway=order.gateway.rstrip("/"),
            api_key=order.api_key,
            secret_key=order.secret_key,
            environment=order.environment,
            user=user_of(order, index),
            attributes=order.attributes,
            timezone=order.timezone,
            locale=order.locale,
        )
        self.phones[phone.number] = self.by_token[phone.token] = phone
        return phone

    def _changed(self, phone: Phone) -> None:
        self.version += 1
        phone.version = self.version
        self.courier.ring(phone)

    def as_json(self, start: int, limit: int) -> dict[str, Any]:
        """Return some phones, oldest first, and the counts."""
        some = list(self.phones.values())[start : start + limit]
        return {"counts": self.counts(), "phones": [phone.as_json() for phone in some]}


def user_of(order: Order, index: int) -> str | None:
    """Return the user of one phone: the name itself, or numbered when there are several phones."""
    if order.user is None or order.count == 1:
        return order.user
    return f"{order.user}-{index + 1}"
