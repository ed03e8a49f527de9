"""aioapns' connection pool, with the wire beneath."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from aioapns import NotificationRequest
from aioapns.common import NotificationResult
from aioapns.connection import APNsBaseConnectionPool, AuthorizationHeaderProvider
from aioapns.exceptions import ConnectionClosed
from aioapns.exceptions import ConnectionError as NotConnected

from delivery.providers import json_text
from delivery.providers.apns.client.vocabulary import Request, Result
from delivery.providers.apns.envelope import (
    Envelope,
    authorization,
    fields_of,
    literals_of,
    path_of,
)
from delivery.providers.apns.farewell import Farewell
from delivery.providers.apns.verdicts import read_complaint
from delivery.providers.wire import (
    Answer,
    Endpoint,
    Policy,
    Pool,
    Uncertain,
    Unsent,
    encode_literal,
)
from delivery.providers.wire import Request as WireRequest


class WirePool(APNsBaseConnectionPool):
    """aioapns' connection pool with the wire beneath instead of connections of its own."""

    def __init__(
        self,
        topic: str,
        endpoint: Endpoint,
        authorization: AuthorizationHeaderProvider | None,
        *,
        policy: Policy,
        want_headers: bool,
    ) -> None:
        super().__init__(topic=topic, max_connection_attempts=1)
        self.authorization = authorization
        self.farewell = Farewell()
        self.wire = Pool(
            endpoint, policy=policy, want_headers=want_headers, on_goaway=self.farewell.hear
        )

    async def send_many(
        self, requests: Sequence[NotificationRequest]
    ) -> AsyncGenerator[list[Result], None]:
        """Yield results as answers arrive, one for each request."""
        asked = self._encode(requests)
        async with aclosing(self.wire.send(asked)) as arriving:
            async for arrived in arriving:
                yield [
                    self._unsent(request, answer)
                    if isinstance(answer, Unsent)
                    else _result(request, answer)
                    for request, answer in arrived
                ]

    async def send_notification(self, request: NotificationRequest) -> NotificationResult:
        """Give the answer to one push; aioapns' own exceptions where there is none."""
        async with aclosing(self.send_many([request])) as arriving:
            result = (await anext(arriving))[0]
        if isinstance(result.failure, Unsent):
            raise NotConnected(result.failure.reason)
        if result.failure is not None:
            raise ConnectionClosed(result.failure.reason)
        return result

    def close(self) -> None:
        """Hang up at once; `Client.drain` is the polite way."""
        self._closing = asyncio.get_running_loop().create_task(self.wire.close())

    def _unsent(self, request: NotificationRequest, failure: Unsent) -> Result:
        """Give the result of a push Apple never took, with Apple's last words where they are new.

        A connection that Apple ended over our certificate is gone by the time the push comes back.
        """
        words = self.farewell.recent(self.wire.stats.last_goaway)
        reason = f"{failure.reason}; {words}" if words else failure.reason
        return Result(request, "", failure=Unsent(reason))

    def _encode(self, requests: Sequence[NotificationRequest]) -> list[WireRequest]:
        secret = b""
        if self.authorization is not None:
            secret = authorization(self.authorization.get_header())
        heads: dict[bytes, bytes] = {}  # one batch has one envelope, so one entry
        encoded = []
        for request in requests:
            body, fields, shared = (
                request.envelope if type(request) is Request else self._envelope(request)
            )
            head = heads.get(shared)
            if head is None:
                head = heads[shared] = shared + secret
            encoded.append(
                WireRequest(
                    path_of(request.device_token),
                    fields,
                    head + encode_literal(b"apns-id", request.notification_id.encode()),
                    body,
                    request,
                )
            )
        return encoded

    def _envelope(self, request: NotificationRequest) -> Envelope:
        """Give the envelope of a plain aioapns request, which brings none."""
        kind, lives = request.push_type, request.time_to_live
        return Envelope(
            json_text.dump(request.message),
            fields_of(
                request.apns_topic or self.apns_topic or "",
                "" if kind is None else kind.value,
                "" if request.priority is None else str(request.priority),
            ),
            literals_of(None if lives is None else int(time.time()) + lives, request.collapse_key),
        )


def _result(request: NotificationRequest, answer: Answer | Unsent | Uncertain) -> Result:
    if not isinstance(answer, Answer):
        return Result(request, "", failure=answer)
    status, headers, body = answer
    if status == 200:
        return Result(request, "200", headers=headers)
    reason, timestamp = read_complaint(body)
    words = reason or f"HTTP {status} {body[:200].decode('utf-8', 'replace')}".rstrip()
    return Result(request, str(status), words, timestamp, reason=reason, headers=headers)
