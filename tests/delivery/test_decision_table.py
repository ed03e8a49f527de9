"""Each row of the decision table, from a provider's answer to what is done.

Two phones are pushed to and one of them gets the answer: what becomes of its push, of its token, of
the breaker, and when it is asked again.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm.commands.device_tokens import Address, register_token
from crm.models import DeviceToken
from delivery import dispatch, fanout
from delivery.commands.credentials import StoreCredential, store_credential
from delivery.models import Batch, Breaker, Delivery
from delivery.providers.registry import registry
from tests.promises.stage import address_of

pytestmark = pytest.mark.django_db


@dataclass(frozen=True, kw_only=True)
class Done:
    """What an answer leads to: a push without a verdict waits so many seconds.

    `other` is what becomes of the other phone's; None where there is no other.
    """

    verdict: str = ""
    token: str = "alive"
    breaker: str = "closed"
    wait: float | None = None
    sent: int = 1
    other: str | None = "accepted"


REJECTED = Done(verdict="rejected")
DEAD = Done(verdict="unregistered", token="dead")
DOUBTED = Done(verdict="unregistered", token="quarantined")
STOPS = Done(breaker="open", wait=60)
UNCERTAIN = Done(verdict="uncertain")
IN_15_MINUTES = Done(wait=900)


def twice(done: Done) -> Done:
    return Done(**{**done.__dict__, "sent": 2})


APNS: dict[str, tuple[dict[str, Any], Done]] = {
    **{
        reason: ({"reason": reason}, REJECTED)
        for reason in (
            "BadCollapseId",
            "BadExpirationDate",
            "BadMessageId",
            "BadPriority",
            "InvalidPushType",
            "PayloadEmpty",
            "DuplicateHeaders",
            "MissingDeviceToken",
            "BadTopic",
            "MissingTopic",
            "BadPath",
            "MethodNotAllowed",
            "PayloadTooLarge",
        )
    },
    **{
        reason: ({"reason": reason}, STOPS)
        for reason in (
            "TopicDisallowed",
            "InvalidProviderToken",
            "MissingProviderToken",
            "BadEnvironmentKeyIdInToken",
            "BadEnvironmentKeyInToken",
            "BadCertificate",
            "BadCertificateEnvironment",
            "Forbidden",
        )
    },
    "BadDeviceToken": ({"reason": "BadDeviceToken"}, DOUBTED),
    "DeviceTokenNotForTopic": ({"reason": "DeviceTokenNotForTopic"}, DOUBTED),
    "ExpiredProviderToken twice": ({"reason": "ExpiredProviderToken"}, twice(STOPS)),
    "ExpiredProviderToken once": (
        {"reason": "ExpiredProviderToken", "times": 1},
        Done(verdict="accepted", sent=2),
    ),
    "UnrelatedKeyIdInToken": (
        {"reason": "UnrelatedKeyIdInToken", "times": 1},
        Done(verdict="accepted", sent=2),
    ),
    "IdleTimeout": ({"reason": "IdleTimeout", "times": 1}, Done(verdict="accepted", sent=2)),
    "Unregistered before it registered": (
        {"reason": "Unregistered", "timestamp": "past"},
        Done(verdict="unregistered", token="alive"),
    ),
    "Unregistered since it registered": (
        {"reason": "Unregistered", "timestamp": "future"},
        DEAD,
    ),
    "ExpiredToken": ({"reason": "ExpiredToken", "timestamp": "future"}, DEAD),
    "TooManyRequests": ({"reason": "TooManyRequests"}, Done(wait=30)),
    "TooManyProviderTokenUpdates": ({"reason": "TooManyProviderTokenUpdates"}, Done(wait=1200)),
    "InternalServerError": ({"reason": "InternalServerError"}, IN_15_MINUTES),
    "ServiceUnavailable": ({"reason": "ServiceUnavailable"}, IN_15_MINUTES),
    "Shutdown once": ({"reason": "Shutdown", "times": 1}, Done(verdict="accepted", sent=2)),
    "Shutdown twice": ({"reason": "Shutdown"}, twice(IN_15_MINUTES)),
    "an unknown 5xx": ({"status": 599, "text": "?"}, IN_15_MINUTES),
    "an unknown 4xx": ({"status": 499, "text": '{"reason":"New"}'}, REJECTED),
    "no JSON": ({"status": 400, "body": "html"}, IN_15_MINUTES),
    "a longer Retry-After": (
        {"reason": "ServiceUnavailable", "retry_after": 2000},
        Done(wait=2000),
    ),
    "a refused stream": ({"wire": "refuse", "times": 1}, Done(verdict="accepted", sent=2)),
    "a reset stream": ({"wire": "reset", "code": 2}, UNCERTAIN),
    "silence": ({"wire": "stall"}, UNCERTAIN),
}

FCM: dict[str, tuple[dict[str, Any], Done]] = {
    "BadRequest violations": ({"reason": "BAD_REQUEST"}, REJECTED),
    "INVALID_ARGUMENT of a payload good for another": ({"reason": "INVALID_ARGUMENT"}, DEAD),
    "INVALID_ARGUMENT of a payload nobody took": (
        {"reason": "INVALID_ARGUMENT"},
        Done(verdict="rejected", other=None),
    ),
    "ApnsError 410": ({"reason": "APNS_UNREGISTERED"}, DEAD),
    "401 once": ({"reason": "UNAUTHENTICATED", "times": 1}, Done(verdict="accepted", sent=2)),
    "401 twice": ({"reason": "UNAUTHENTICATED"}, twice(STOPS)),
    "THIRD_PARTY_AUTH_ERROR": ({"reason": "THIRD_PARTY_AUTH_ERROR"}, Done(wait=10)),
    "SENDER_ID_MISMATCH": ({"reason": "SENDER_ID_MISMATCH"}, DOUBTED),
    "403": ({"reason": "PERMISSION_DENIED"}, STOPS),
    "UNREGISTERED": ({"reason": "UNREGISTERED"}, DEAD),
    "404 without FcmError": ({"reason": "NOT_FOUND"}, STOPS),
    "429": ({"reason": "QUOTA_EXCEEDED"}, Done(wait=60)),
    "429 with Retry-After": ({"reason": "QUOTA_EXCEEDED", "retry_after": 200}, Done(wait=200)),
    "500": ({"reason": "INTERNAL"}, Done(wait=10)),
    "502": ({"reason": "BAD_GATEWAY"}, Done(wait=10)),
    "504": ({"reason": "DEADLINE_EXCEEDED"}, Done(wait=10)),
    "503": ({"reason": "UNAVAILABLE"}, Done(wait=10)),
    "503 with Retry-After": ({"reason": "UNAVAILABLE", "retry_after": 90}, Done(wait=90)),
    "200 without a name": ({"status": 200, "text": "{}"}, UNCERTAIN),
    "a reset stream": ({"wire": "reset", "code": 2}, UNCERTAIN),
    "silence": ({"wire": "stall"}, UNCERTAIN),
    "invalid_grant": (
        {"oauth": True, "reason": "invalid_grant"},
        Done(breaker="open", wait=60, sent=0, other=""),
    ),
    "the token endpoint away": (
        {"oauth": True, "status": 503},
        Done(breaker="open", wait=5, sent=0, other=""),
    ),
    "the token endpoint busy": (
        {"oauth": True, "status": 429, "retry_after": 40},
        Done(breaker="open", wait=40, sent=0, other=""),
    ),
}

CASES = [
    pytest.param((provider, action, done), id=f"{provider} {name}")
    for provider, rows in (("apns", APNS), ("fcm", FCM))
    for name, (action, done) in rows.items()
]


@pytest.fixture
def let_in(app, stage, settings):
    """Store credentials that lead to the simulator."""
    settings.REQUEST_TIMEOUT = timedelta(seconds=1)
    ca_pem, apns = stage.text(stage.facts["ca_file"]), stage.facts["apns"]
    store_credential(
        StoreCredential(
            app=app,
            provider="apns",
            secret=stage.text(apns["key_file"]),
            key_id=apns["key_id"],
            team_id=apns["team_id"],
            topic=apns["topic"],
            endpoint=stage.facts["apns_url"],
            ca_pem=ca_pem,
        )
    )
    account = stage.text(stage.facts["fcm"]["service_account_file"])
    endpoint = stage.facts["fcm_url"]
    store_credential(
        StoreCredential(app=app, provider="fcm", secret=account, endpoint=endpoint, ca_pem=ca_pem)
    )
    yield
    registry.close()


@pytest.fixture
def ring(phones, stage, let_in):
    def one(provider, number):
        address = Address(
            transport=provider,
            environment="production",
            topic=stage.facts["apns"]["topic"] if provider == "apns" else "",
            value=address_of(provider, number),
        )
        return register_token(phones.install(f"phone-{number}"), address=address, details={})

    return one


def rule(provider, token, action):
    action = dict(action)
    times = action.pop("times", None)
    match = {"provider": provider, "token": token.value}
    if action.pop("oauth", False):
        match = {"provider": "oauth"}
    return {"match": match, "action": action, "times": times}


@pytest.mark.parametrize("row", CASES)
def test_each_answer_is_acted_on_as_the_table_says(row, ring, sends, stage):
    provider, action, done = row
    hit = ring(provider, 1)
    other = ring(provider, 2) if done.other is not None else None
    stage.script(rule(provider, hit, action))
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))

    while dispatch.deliver_next("bulk"):
        pass

    verdicts = dict(Delivery.objects.values_list("token_id", "verdict"))
    assert verdicts.get(hit.pk, "") == done.verdict
    if other is not None:
        assert verdicts.get(other.pk, "") == done.other
    assert DeviceToken.objects.get(pk=hit.pk).state == done.token
    breakers = set(Breaker.objects.values_list("state", flat=True))
    assert breakers <= {done.breaker}
    assert (done.breaker == "open") == ("open" in breakers)
    assert len(stage.received(provider=provider, token=hit.value)) == done.sent
    assert waited(done) is (not done.verdict)


def waited(done):
    """Say whether something waits, having seen that it does so for as long as it should."""
    waiting = Batch.objects.filter(state="waiting").first()
    if waiting is None:
        return False
    assert done.wait is not None
    left = (waiting.next_attempt_at - timezone.now()).total_seconds()
    assert done.wait * 0.7 - 2 < left < done.wait * 1.25 + 2
    assert (waiting.breaker is not None) == (done.breaker == "open")
    return True
