"""A turn of a Node library: the job goes in as JSON, what it took comes back as JSON."""

import json
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.environments import NODE, node_modules
from benchmarks.sink import Sink
from benchmarks.turns import Task, Turn, turn_of
from simulator.identity.material import TOPIC
from simulator.identity.service_accounts import new_account


def turn(sink: Sink, task: Task) -> Turn:
    """Give one of the senders in `senders/node` its turn."""
    job = json.dumps(_job(sink, task, node_modules()))
    trust = {"NODE_EXTRA_CA_CERTS": str(sink.identity.ca_file)}
    return turn_of(["node", str(NODE / "main.mjs")], sink, task, said=job, environ=trust)


def _job(sink: Sink, task: Task, modules: Path) -> dict[str, Any]:
    identity, push = sink.identity, workload.apns_push(TOPIC)
    warm, tokens = task.tokens()
    return {
        "name": task.name,
        "modules": str(modules),
        "port": sink.lenient_port,
        "key": identity.key_file.read_text(),
        "keyId": identity.key.key_id,
        "teamId": identity.key.team_id,
        "account": new_account(workload.PROJECT, f"{sink.url}/token").document,
        "lifetime": int(workload.LIFETIME.total_seconds()),
        "apns": {
            "content": push.content,
            "topic": push.topic,
            "pushType": push.push_type,
            "priority": push.priority,
            "expiration": push.expiration,
            "collapseId": push.collapse_id,
        },
        "fcm": workload.fcm_message(),
        "warm": warm,
        "tokens": tokens,
    }
