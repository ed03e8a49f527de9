"""aioapns' client on the wire: what sends."""

import ssl
from collections.abc import AsyncGenerator, Sequence

from aioapns import APNs, NotificationRequest

from delivery.providers.address import Address
from delivery.providers.apns.access import Access
from delivery.providers.apns.client.pool import WirePool
from delivery.providers.apns.client.vocabulary import Result, TokenHeader, aioapns_arguments
from delivery.providers.apns.secret_file import lend_file
from delivery.providers.apns.token import ProviderToken
from delivery.providers.wire import Endpoint, Policy


class Client(APNs):
    """aioapns' client on the wire, for one credential in one environment.

    Made inside the loop that will use it.
    """

    pool: WirePool

    def __init__(
        self,
        access: Access,
        address: Address,
        context: ssl.SSLContext,
        *,
        token: ProviderToken | None,
        policy: Policy,
        want_headers: bool = False,
    ) -> None:
        self.topic = access.topic
        with lend_file(access.certificate_pem) as path:
            super().__init__(**aioapns_arguments(access, path, context))
        self.pool = WirePool(
            self.topic,
            Endpoint(address.host, address.port, context),
            TokenHeader(token) if token else None,
            policy=policy,
            want_headers=want_headers,
        )
        self.generation = 0

    def send_many(
        self, requests: Sequence[NotificationRequest]
    ) -> AsyncGenerator[list[Result], None]:
        """Yield results as answers arrive, one for each request."""
        return self.pool.send_many(requests)

    def reconnect(self, seen: int) -> None:
        """Use new connections from here on, unless those of generation `seen` are gone already.

        What is in flight on the old ones finishes there.
        """
        if self.generation == seen:
            self.generation += 1
            self.pool.wire.renew()

    async def drain(self, patience: float) -> None:
        """Let what is in flight finish, for so long, and hang up."""
        await self.pool.wire.drain(patience)
