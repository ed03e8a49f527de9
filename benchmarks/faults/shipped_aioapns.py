"""aioapns as shipped, asked for many pushes at once."""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aioapns import APNs, NotificationRequest, PushType
from aioapns.connection import APNsProductionClientProtocol

from benchmarks import workload
from simulator.identity.material import TOPIC


async def send(facts: dict[str, Any], addresses: Sequence[str], told: Counter[str]) -> None:
    """Send to all, and note each answer as it comes."""
    logging.disable()
    client, push = _client(facts), workload.apns_push(TOPIC)

    async def one(address: str) -> None:
        request = NotificationRequest(
            device_token=address,
            message=push.content,
            time_to_live=int(workload.LIFETIME.total_seconds()),
            push_type=PushType.ALERT,
        )
        try:
            result = await client.send_notification(request)
        except Exception:  # noqa: BLE001 - whatever it raises is what the caller gets
            told["error"] += 1
        else:
            told["accepted" if result.is_successful else "refused"] += 1

    await asyncio.gather(*map(one, addresses))


def _client(facts: dict[str, Any]) -> APNs:
    context = ssl.create_default_context(cafile=facts["ca_file"])
    context.set_alpn_protocols(["h2"])
    apns = facts["apns"]
    client = APNs(
        key=Path(apns["key_file"]).read_text(),
        key_id=apns["key_id"],
        team_id=apns["team_id"],
        topic=TOPIC,
        ssl_context=context,
    )
    host, _, port = facts["apns_url"].removeprefix("https://").partition(":")
    client.pool.protocol_class = type(
        "Aimed",
        (APNsProductionClientProtocol,),
        {"APNS_SERVER": host, "APNS_PORT": int(port)},
    )
    return client
