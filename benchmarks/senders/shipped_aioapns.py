"""aioapns as shipped: `send_notification` for each push, 500 of them in flight."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence

from aioapns import APNs, NotificationRequest, PushType
from aioapns.connection import APNsProductionClientProtocol

from benchmarks import workload
from benchmarks.senders.job import Job, Send
from simulator.identity.material import TOPIC

IN_FLIGHT = 500


def opened(job: Job) -> Send:
    """Give a sender through aioapns' own client, pool and protocol."""
    runner, sender = asyncio.Runner(), _Sender(job)
    return lambda tokens: runner.run(sender.send(tokens))


class _Sender:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._push = workload.apns_push(TOPIC)
        self._client: APNs | None = None

    async def send(self, tokens: Sequence[str]) -> int:
        client = self._client = self._client or _client(self._job)
        waiting = iter(tokens)
        return sum(await asyncio.gather(*(self._work(client, waiting) for _ in range(IN_FLIGHT))))

    async def _work(self, client: APNs, waiting: Iterator[str]) -> int:
        accepted, push = 0, self._push
        for token in waiting:
            request = NotificationRequest(
                device_token=token,
                message=push.content,
                time_to_live=int(workload.LIFETIME.total_seconds()),
                priority=workload.PRIORITY,
                collapse_key=push.collapse_id,
                push_type=PushType.ALERT,
            )
            result = await client.send_notification(request)
            accepted += result.is_successful
        return accepted


def _client(job: Job) -> APNs:
    identity = job.identity
    context = ssl.create_default_context(cafile=str(identity.ca_file))
    context.set_alpn_protocols(["h2"])
    client = APNs(
        key=identity.key_file.read_text(),
        key_id=identity.key.key_id,
        team_id=identity.key.team_id,
        topic=TOPIC,
        ssl_context=context,
    )
    client.pool.protocol_class = type(
        "Aimed",
        (APNsProductionClientProtocol,),
        {"APNS_SERVER": "127.0.0.1", "APNS_PORT": job.port},
    )
    return client
