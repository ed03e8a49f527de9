"""`python -m benchmarks.faults.sender NAME N FACTS DEADLINE`: send once, print what we were told.

A process of its own: a library that hangs is left behind with it.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.senders.loopback import answer_for
from delivery.providers.contract import Credentials, Target, Transport, Verdict
from simulator.identity.material import TOPIC

Told = Counter[str]
"""How many pushes we were told what of: accepted, refused, later, uncertain, error."""

Send = Callable[[Told], None]
"""Sends everything, and notes what it is told as it is told."""

WORDS = {
    Verdict.ACCEPTED: "accepted",
    Verdict.REJECTED: "refused",
    Verdict.UNREGISTERED: "refused",
    Verdict.UNCERTAIN: "uncertain",
}
"""The other verdicts mean: not sent, or not taken, and to be asked again later."""


def ours(provider: str, facts: dict[str, Any], n: int) -> Send:
    """Give a sender of one batch through our adapter, as a worker sends."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "gateway.settings"
    os.environ.setdefault("SECRET_KEY", "only for benchmarks")
    import django  # noqa: PLC0415 - the shipped libraries go without

    django.setup()
    from delivery.providers import runtime  # noqa: PLC0415 - see above
    from delivery.providers.registry import preload, registry  # noqa: PLC0415 - see above

    preload()
    transport = Transport(provider)
    push = workload.push_by(transport, TOPIC if provider == "apns" else "")
    adapter = registry.adapter_for(_credentials(provider, facts))
    addresses = workload.addresses(transport, n)
    targets = [Target(number, address) for number, address in enumerate(addresses, 1)]

    def send(told: Told) -> None:
        for chunk in runtime.stream(lambda: adapter.deliver(push, targets), 60.0):
            told.update(WORDS.get(outcome.verdict, "later") for outcome in chunk)

    return send


def _credentials(provider: str, facts: dict[str, Any]) -> Credentials:
    said = facts[provider]
    names = ("key_id", "team_id", "topic") if provider == "apns" else ()
    secret = said["key_file"] if provider == "apns" else said["service_account_file"]
    return Credentials(
        id=1,
        provider=provider,
        kind="key" if provider == "apns" else "service_account",
        secret=Path(secret).read_text(),
        facts={name: said[name] for name in names},
        endpoint=facts[f"{provider}_url"],
        ca_pem=Path(facts["ca_file"]).read_text(),
    )


def aioapns(facts: dict[str, Any], n: int) -> Send:
    """Give a sender of all at once, a `send_notification` each, as its README does."""
    from benchmarks.faults import shipped_aioapns  # noqa: PLC0415 - it alone imports aioapns

    addresses = workload.addresses(Transport.APNS, n)
    return lambda told: asyncio.run(shipped_aioapns.send(facts, addresses, told))


def firebase(facts: dict[str, Any], n: int, *, asynchronous: bool) -> Send:
    """Give a sender of all in one call of `send_each` or `send_each_async`."""
    import certifi  # noqa: PLC0415 - firebase-admin's

    certifi.where = lambda: facts["ca_file"]
    os.environ |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), facts["ca_file"])
    port = int(facts["fcm_url"].rpartition(":")[2])
    answer_for(("fcm.googleapis.com", "iamcredentials.googleapis.com"), port)
    from benchmarks.faults import shipped_firebase  # noqa: PLC0415 - after the lines above

    addresses = workload.addresses(Transport.FCM, n)
    return shipped_firebase.sender(facts, addresses, asynchronous=asynchronous)


SENDERS: dict[str, Callable[[dict[str, Any], int], Send]] = {
    "ours.apns": lambda *given: ours("apns", *given),
    "ours.fcm": lambda *given: ours("fcm", *given),
    "aioapns": aioapns,
    "firebase-admin": lambda *given: firebase(*given, asynchronous=False),
    "firebase-admin async": lambda *given: firebase(*given, asynchronous=True),
}


def main(name: str, n: str, facts: str, deadline: str) -> None:
    """Send, for so long at most, and print what we were told by then."""
    told: Told = Counter()
    send = SENDERS[name](json.loads(Path(facts).read_text()), int(n))
    work = threading.Thread(target=send, args=(told,), daemon=True)
    began = time.monotonic()
    work.start()
    work.join(float(deadline))
    said = {"told": dict(told), "seconds": time.monotonic() - began, "ended": not work.is_alive()}
    print(json.dumps(said), flush=True)
    os._exit(0)  # whatever still hangs ends here


if __name__ == "__main__":
    main(*sys.argv[1:])
