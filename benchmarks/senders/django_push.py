"""django-push-notifications as shipped, through its calls for many devices."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import certifi
import django
from django.conf import settings

from benchmarks import workload
from benchmarks.senders.job import Job, Send
from benchmarks.senders.loopback import answer_for
from simulator.identity.material import TOPIC
from simulator.identity.service_accounts import new_account

APNS_CALL = 250
"""A call makes a connection of its own, and gives all its pushes one second together: with 1,000
some of them end in a TimeoutError as soon as anybody else has work for the core."""

FCM_CALL = 500
HOSTS = ("api.push.apple.com", "fcm.googleapis.com", "iamcredentials.googleapis.com")


def apns(job: Job) -> Send:
    """Give a sender through `apns_send_bulk_message`."""
    _begin(job)
    from push_notifications import apns_async  # noqa: PLC0415 - needs the settings

    push = workload.apns_push(TOPIC)
    aps, custom = push.content["aps"], push.content["custom"]
    alert = apns_async.Alert(**aps["alert"])

    def send(tokens: Sequence[str]) -> int:
        results = apns_async.apns_send_bulk_message(
            list(tokens),
            alert,
            sound=aps["sound"],
            mutable_content=True,
            extra={"custom": custom},
            expiration=int(time.time() + workload.LIFETIME.total_seconds()),
            priority=workload.PRIORITY,
            collapse_id=push.collapse_id,
        )
        return sum(result == "Success" for result in results.values())

    return _in_calls(send, APNS_CALL)


def fcm(job: Job) -> Send:
    """Give a sender through `send_bulk_message`."""
    _begin(job)
    import firebase_admin  # noqa: PLC0415 - takes its authorities at import
    from firebase_admin import messaging  # noqa: PLC0415
    from push_notifications import gcm  # noqa: PLC0415

    account = new_account(workload.PROJECT, f"{job.url}/token")
    firebase_admin.initialize_app(firebase_admin.credentials.Certificate(account.document))
    said = workload.fcm_message()
    android = messaging.AndroidConfig(priority="high", ttl=workload.LIFETIME)
    message = messaging.Message(data=said["data"], android=android)

    def send(tokens: Sequence[str]) -> int:
        return int(gcm.send_bulk_message(list(tokens), message).success_count)

    return _in_calls(send, FCM_CALL)


def _begin(job: Job) -> None:
    """Set Django up, and have the providers' names answer from the sink."""
    # the authorities of ssl and of requests, which takes them from certifi once, at import
    os.environ["SSL_CERT_FILE"] = str(job.identity.ca_file)
    certifi.where = lambda: str(job.identity.ca_file)
    answer_for(HOSTS, job.port)
    logging.disable(logging.ERROR)
    said: dict[str, Any] = {
        "APNS_AUTH_KEY_PATH": str(job.identity.key_file),
        "APNS_AUTH_KEY_ID": job.identity.key.key_id,
        "APNS_TEAM_ID": job.identity.key.team_id,
        "APNS_TOPIC": TOPIC,
        "FCM_MAX_RECIPIENTS": FCM_CALL,
    }
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "push_notifications",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        SECRET_KEY="only for benchmarks",
        PUSH_NOTIFICATIONS_SETTINGS=said,
        USE_TZ=True,
    )
    django.setup()


def _in_calls(send: Callable[[Sequence[str]], int], size: int) -> Send:
    def all_of(tokens: Sequence[str]) -> int:
        return sum(send(tokens[at : at + size]) for at in range(0, len(tokens), size))

    return all_of
