"""firebase-admin as shipped: `send_each` with 500 messages a call, the most it takes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import certifi

from benchmarks import workload
from benchmarks.senders.job import Job, Send
from benchmarks.senders.loopback import answer_for
from simulator.identity.service_accounts import new_account

BATCH = 500
HOSTS = ("fcm.googleapis.com", "iamcredentials.googleapis.com")


def opened(job: Job) -> Send:
    """Give a sender through a firebase-admin app with a service account."""
    # requests takes its authorities from certifi once, at import; a path in the environment
    # would be looked up on the disk for every request
    certifi.where = lambda: str(job.identity.ca_file)
    answer_for(HOSTS, job.port)
    import firebase_admin  # noqa: PLC0415 - see above

    account = new_account(workload.PROJECT, f"{job.url}/token")
    certificate = firebase_admin.credentials.Certificate(account.document)
    return partial(_send, firebase_admin.initialize_app(certificate))


def _send(app: Any, tokens: Sequence[str]) -> int:
    from firebase_admin import messaging  # noqa: PLC0415 - after `opened`

    said = workload.fcm_message()
    accepted = 0
    for start in range(0, len(tokens), BATCH):
        messages = [_message(messaging, said, token) for token in tokens[start : start + BATCH]]
        accepted += messaging.send_each(messages, app=app).success_count
    return accepted


def _message(messaging: Any, said: dict[str, Any], token: str) -> Any:
    android = messaging.AndroidConfig(
        priority=said["android"]["priority"].lower(), ttl=workload.LIFETIME
    )
    return messaging.Message(token=token, data=said["data"], android=android)
