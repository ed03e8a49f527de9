"""firebase-admin as shipped, asked for many messages in one call."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import firebase_admin
from firebase_admin import messaging

from benchmarks import workload


def sender(
    facts: dict[str, Any], addresses: Sequence[str], *, asynchronous: bool
) -> Callable[[Counter[str]], None]:
    """Give what sends to all and notes the answers, which come when it is done."""
    account = json.loads(Path(facts["fcm"]["service_account_file"]).read_text())
    app = firebase_admin.initialize_app(firebase_admin.credentials.Certificate(account))
    messages = [_message(address) for address in addresses]
    if asynchronous:  # it connects to the port of the URL, wherever the name leads
        url = f"{facts['fcm_url']}/v1/projects/{facts['fcm']['project_id']}/messages:send"
        messaging._get_messaging_service(app)._fcm_url = url  # noqa: SLF001 - no public way

    def send(told: Counter[str]) -> None:
        try:
            if asynchronous:
                batch = asyncio.run(messaging.send_each_async(messages, app=app))
            else:
                batch = messaging.send_each(messages, app=app)
        except Exception as fault:  # noqa: BLE001 - what it raises is said of all of them
            told["error"] += len(messages)
            print(repr(fault), file=sys.stderr)
        else:
            told.update(map(_word, batch.responses))

    return send


def _word(response: messaging.SendResponse) -> str:
    if response.success:
        return "accepted"
    said = response.exception and response.exception.http_response
    return "error" if said is None else "refused" if said.status_code < 500 else "later"


def _message(address: str) -> messaging.Message:
    said = workload.fcm_message()
    android = messaging.AndroidConfig(
        priority=said["android"]["priority"].lower(), ttl=workload.LIFETIME
    )
    return messaging.Message(token=address, data=said["data"], android=android)
