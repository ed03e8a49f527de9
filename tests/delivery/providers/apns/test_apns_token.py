import json
from base64 import urlsafe_b64decode
from itertools import pairwise

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from delivery.providers.apns.token import GRID, LIFETIME, QUIET, ProviderToken, SigningKey

PRIVATE = ec.generate_private_key(ec.SECP256R1())
NOON = 1_800_000_000 // GRID * GRID


def pem_of(key: object) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def signing_key() -> SigningKey:
    return SigningKey(pem_of(PRIVATE), key_id="KEY1234567", team_id="TEAM123456")


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def issued_at(token: str) -> int:
    claims = token.split(".")[1]
    return json.loads(urlsafe_b64decode(claims + "=="))["iat"]


def test_the_token_is_a_jwt_anyone_can_verify() -> None:
    token = signing_key().sign(NOON)
    claims = jwt.decode(
        token, PRIVATE.public_key(), algorithms=["ES256"], options={"verify_iat": False}
    )
    assert claims == {"iss": "TEAM123456", "iat": NOON}
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "KEY1234567"}


def test_workers_started_apart_send_the_very_same_token() -> None:
    one = ProviderToken(signing_key(), clock=Clock(NOON + 3))
    other = ProviderToken(signing_key(), clock=Clock(NOON + GRID - 1))
    assert one.current() == other.current()
    assert issued_at(one.current()) == NOON


def test_a_token_is_kept_for_45_minutes_and_then_signed_anew() -> None:
    clock = Clock(NOON + 100)
    token = ProviderToken(signing_key(), clock=clock)
    first = token.current()
    clock.now = NOON + LIFETIME - 1
    assert token.current() == first
    clock.now = NOON + LIFETIME
    assert issued_at(token.current()) == NOON + LIFETIME


@pytest.mark.parametrize("started", range(0, GRID, 97))
def test_no_token_is_an_hour_old_and_none_follows_another_within_20_minutes(started: int) -> None:
    clock = Clock(NOON + started)
    token, changes, last = ProviderToken(signing_key(), clock=clock), [], ""
    for minute in range(300):
        clock.now = NOON + started + minute * 60
        assert clock.now - issued_at(token.current()) < 3600
        if token.current() != last:
            last = token.current()
            changes.append(clock.now)
    assert all(after - before >= 1200 for before, after in pairwise(changes))


def test_a_token_called_expired_is_replaced_by_one_of_this_very_second() -> None:
    clock = Clock(NOON + 700)
    token = ProviderToken(signing_key(), clock=clock)
    refused = token.current()
    assert token.renew(refused)
    assert issued_at(token.current()) == NOON + 700


def test_a_token_somebody_else_has_replaced_already_is_not_replaced_again() -> None:
    clock = Clock(NOON + 700)
    token = ProviderToken(signing_key(), clock=clock)
    refused = token.current()
    token.renew(refused)
    fresh = token.current()
    clock.now += 5
    assert token.renew(refused)
    assert token.current() == fresh


def test_renewing_twice_in_a_second_gives_nothing_new() -> None:
    clock = Clock(NOON + 700)
    token = ProviderToken(signing_key(), clock=clock)
    token.renew(token.current())
    assert not token.renew(token.current())


def test_after_too_many_tokens_the_present_one_stays() -> None:
    clock = Clock(NOON)
    token = ProviderToken(signing_key(), clock=clock)
    first = token.current()
    clock.now = NOON + LIFETIME - 60
    token.hold()
    assert not token.renew(first)
    clock.now += QUIET - 1
    assert token.current() == first
    clock.now += 1
    assert token.current() != first


def test_the_operator_is_told_once_of_too_many_tokens(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(NOON)
    token = ProviderToken(signing_key(), clock=clock)
    for _ in range(3):
        token.hold()
    assert len(caplog.records) == 1
    clock.now += QUIET
    token.hold()
    assert len(caplog.records) == 2


def test_a_clock_set_back_does_not_keep_a_token_from_the_future() -> None:
    clock = Clock(NOON)
    token = ProviderToken(signing_key(), clock=clock)
    token.current()
    clock.now = NOON - 7200
    assert issued_at(token.current()) == NOON - 7200


def test_nor_does_it_where_apple_had_seen_too_many() -> None:
    clock = Clock(NOON)
    token = ProviderToken(signing_key(), clock=clock)
    token.current()
    token.hold()
    clock.now = NOON - 7200
    assert issued_at(token.current()) == NOON - 7200


@pytest.mark.parametrize(
    "pem",
    [
        "not a key",
        "",
        pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        pem_of(ec.generate_private_key(ec.SECP384R1())),
    ],
    ids=["text", "nothing", "rsa", "another curve"],
)
def test_what_is_no_apple_key_is_refused(pem: str) -> None:
    with pytest.raises(ValueError):
        SigningKey(pem, key_id="KEY1234567", team_id="TEAM123456")


def test_a_key_without_its_ids_is_refused() -> None:
    with pytest.raises(ValueError, match="team id"):
        SigningKey(pem_of(PRIVATE), key_id="KEY1234567", team_id="")
