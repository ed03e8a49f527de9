"""`python -m benchmarks.senders NAME N WARM PORT IDENTITY`: send, and print what it took as JSON.

A process for each turn, so that nothing of one sender weighs on another.
"""

import ctypes
import importlib
import json
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import workload
from benchmarks.senders.job import Done, Job, Send
from delivery.providers.contract import Transport
from simulator.identity.material import material

DEADLINE = 300
PR_SET_PDEATHSIG = 1  # prctl(2)

DJANGO_PUSH = "benchmarks.senders.django_push"

SENDERS = {
    "transport.apns": ("benchmarks.senders.gateway", "apns", Transport.APNS),
    "transport.fcm": ("benchmarks.senders.gateway", "fcm", Transport.FCM),
    "peer.aioapns.apns": ("benchmarks.senders.shipped_aioapns", "opened", Transport.APNS),
    "peer.firebase_admin.fcm": ("benchmarks.senders.shipped_firebase", "opened", Transport.FCM),
    "peer.django_push_notifications.apns": (DJANGO_PUSH, "apns", Transport.APNS),
    "peer.django_push_notifications.fcm": (DJANGO_PUSH, "fcm", Transport.FCM),
}
"""Module, function and transport; a module is imported by its own process alone."""


def main(name: str, n: str, warm: str, port: str, identity: str) -> None:
    """Warm up, then send `n` pushes and report."""
    signal.alarm(DEADLINE)  # whatever hangs, this process ends, and with whoever started it
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    module, function, transport = SENDERS[name]
    job = Job(int(port), material(Path(identity)))
    send: Send = getattr(importlib.import_module(module), function)(job)
    first = workload.addresses(transport, int(warm), salt="warm")
    then = workload.addresses(transport, int(n))
    warmed = send(first)
    done = measured(send, then)
    print(json.dumps({**done._asdict(), "warmed": warmed}), flush=True)


def measured(send: Send, tokens: Sequence[str]) -> Done:
    """Send, and give what it took: all threads of this process, user and system time."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    accepted = send(tokens)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Done(accepted, cpu, wall)


if __name__ == "__main__":
    main(*sys.argv[1:])
