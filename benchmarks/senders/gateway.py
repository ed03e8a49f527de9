"""Our own adapters, used as a worker uses them: batch after batch, across the process's loop."""

import os
from collections.abc import Sequence
from itertools import count

import django

from benchmarks import workload
from benchmarks.senders.job import Job, Send
from delivery.providers import json_text, runtime
from delivery.providers.contract import Credentials, Provider, Push, Target, Transport, Verdict
from delivery.providers.registry import registry
from gateway.celery import preload_providers
from simulator.identity.material import TOPIC
from simulator.identity.service_accounts import new_account

BATCH = 1000
DEADLINE = 60.0


def apns(job: Job) -> Send:
    """Give a sender through `delivery.providers.apns`."""
    key = job.identity.key
    credentials = Credentials(
        id=1,
        provider="apns",
        kind="key",
        secret=job.identity.key_file.read_text(),
        facts={"key_id": key.key_id, "team_id": key.team_id, "topic": TOPIC},
        endpoint=job.url,
        ca_pem=job.identity.ca_file.read_text(),
    )
    return _sender(credentials, workload.push_by(Transport.APNS, TOPIC))


def fcm(job: Job) -> Send:
    """Give a sender through `delivery.providers.fcm`."""
    account = new_account(workload.PROJECT, f"{job.url}/token")
    credentials = Credentials(
        id=1,
        provider="fcm",
        kind="service_account",
        secret=json_text.dump(account.document).decode(),
        facts={},
        endpoint=job.url,
        ca_pem=job.identity.ca_file.read_text(),
    )
    return _sender(credentials, workload.push_by(Transport.FCM, ""))


def _sender(credentials: Credentials, push: Push) -> Send:
    _become_worker()
    provider, ids = registry.adapter_for(credentials), count(1)

    def send(addresses: Sequence[str]) -> int:
        accepted = 0
        for start in range(0, len(addresses), BATCH):
            batch = addresses[start : start + BATCH]
            targets = [Target(next(ids), address) for address in batch]
            accepted += _deliver(provider, push, targets)
        return accepted

    return send


def _become_worker() -> None:
    """Load what a worker has loaded, and keep the collector off it as a worker does."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "gateway.settings"
    os.environ.setdefault("SECRET_KEY", "only for benchmarks")
    django.setup()
    preload_providers()


def _deliver(provider: Provider, push: Push, targets: Sequence[Target]) -> int:
    """Give the number of targets accepted, each having got one outcome and no more."""
    accepted, outcomes = set(), 0
    for chunk in runtime.stream(lambda: provider.deliver(push, targets), DEADLINE):
        outcomes += len(chunk)
        for outcome in chunk:
            if outcome.verdict is Verdict.ACCEPTED:
                accepted.add(outcome.token_id)
    return len(accepted) if outcomes == len(targets) else 0
