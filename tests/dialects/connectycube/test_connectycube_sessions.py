"""Sessions: opened, prolonged, handed over and ended (contracts/connectycube §4)."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from connectycube_calls import EXPIRY, FORM, errors
from django.utils import timezone

from crm.commands.apps import ChangeApp, change_app
from crm.commands.attempts import MOST
from crm.commands.sessions import forget_expired_sessions
from crm.models import Session, UsedNonce, User
from crm.sealing import fingerprint
from gateway.connectycube.sessions.signature import sign, signed_text

KEYS = ["id", "user_id", "application_id", "token", "nonce", "ts", "created_at", "updated_at"]


def expiry_of(answer):
    told = datetime.strptime(answer.headers[EXPIRY], "%Y-%m-%d %H:%M:%S %Z")
    return told.replace(tzinfo=UTC)


def left_of(answer):
    return expiry_of(answer) - timezone.now()


# -- opening one


def test_a_session_of_an_application_has_no_user(cube):
    answer = cube.open()
    assert answer.status_code == 201
    session = answer.json()["session"]
    assert list(session) == KEYS
    assert (session["user_id"], session["nonce"]) == (None, None)
    assert session["application_id"] == cube.keys.app.pk
    assert timedelta(minutes=119) < left_of(answer) < timedelta(minutes=121)


def test_a_session_of_a_user_has_the_user(cube, person):
    john = person("john")
    session = cube.open(user={"login": "john", "password": "secret 1"}).json()["session"]
    assert list(session) == [*KEYS, "user"]
    assert session["user_id"] == session["user"]["id"] == john.pk
    assert session["user"]["login"] == "john"


def test_someone_signs_in_by_email_too(cube, person):
    person("john", email="john@example.com")
    said = {"email": "john@example.com", "password": "secret 1"}
    assert cube.open(user=said).json()["session"]["user"]["email"] == "john@example.com"


def test_the_token_is_kept_as_a_fingerprint_only(cube):
    token = cube.open().json()["session"]["token"]
    assert bytes(Session.objects.get().token_fingerprint) == fingerprint(token)
    assert token == token.upper()
    assert len(token) == 36


@pytest.mark.parametrize("said", ["1544010993", 1544010993, 1544010993.25, "1544010993.25"])
def test_the_timestamp_is_answered_and_the_nonce_as_a_number(cube, said):
    session = cube.open(timestamp=said, nonce="33432").json()["session"]
    assert (session["ts"], session["nonce"]) == (1544010993, 33432)


@pytest.mark.parametrize("said", ["soon", 1e40, [1], None])
def test_a_timestamp_that_is_none_is_not_looked_at_unsigned(cube, said):
    answer = cube.open(timestamp=said, nonce=said)
    assert answer.status_code == 201
    assert abs(answer.json()["session"]["ts"] - timezone.now().timestamp()) < 5
    assert answer.json()["session"]["nonce"] is None


def test_the_application_id_may_be_text(cube):
    assert cube.open(application_id=str(cube.keys.app.pk)).status_code == 201


def test_an_old_token_is_not_looked_at_on_the_way_in(cube):
    answer = cube.ask("POST", "/session", cube.opening, headers={"CB-Token": "expired"})
    assert answer.status_code == 201


def test_a_form_opens_a_session_as_json_does(cube, person):
    person("john")
    pairs = {**cube.opening, "user[login]": "john", "user[password]": "secret 1"}
    form = "&".join(f"{quote(str(k))}={quote(str(v))}" for k, v in pairs.items())
    for content_type in (FORM, f"{FORM}; charset=utf-8"):
        answer = cube.ask("POST", "/session.json", form, content_type=content_type)
        assert answer.json()["session"]["user"]["login"] == "john", answer.content


# -- and its refusals, in order


def test_an_unknown_application_is_not_found(cube):
    for named in (2**31 - 1, 2**40, "x", "1.5", [1], {}):
        assert errors(cube.open(application_id=named, auth_key="wrong"), 404) == [
            "The resource wasn't found"
        ]


def test_what_is_missing_is_named(cube):
    assert errors(cube.ask("POST", "/session", {}), 422) == {"application_id": ["can't be blank"]}
    for missing in (None, ""):
        assert errors(cube.open(auth_key=missing), 422) == {"auth_key": ["can't be blank"]}


def test_a_wrong_key_is_invalid_whosever_it_is(cube, other_cube):
    for key in ("wrong", other_cube.keys.auth_key, cube.keys.server_key, 1, ["x"]):
        assert errors(cube.open(auth_key=key), 422) == {"auth_key": ["is invalid"]}


def test_a_wrong_password_and_an_unknown_user_are_the_same(cube, person, other_cube):
    person("john")
    for user in (
        {"login": "john", "password": "wrong"},
        {"login": "John", "password": "secret 1"},
        {"login": "nobody", "password": "secret 1"},
        {"email": "nobody@example.com", "password": "secret 1"},
    ):
        assert errors(cube.open(user=user), 401) == ["Unauthorized"]
    said = {"login": "john", "password": "secret 1"}
    assert errors(other_cube.open(user=said), 401) == ["Unauthorized"]
    assert not Session.objects.exists()


def test_a_missing_password_or_name_is_named(cube):
    said = errors(cube.open(user={"login": "john"}), 422)
    assert said == {"password": ["can't be blank"]}
    assert "base" in errors(cube.open(user={"password": "x"}), 422)
    assert errors(cube.open(user="john"), 422) == {"user": ["is invalid"]}
    assert errors(cube.open(user={"login": ["a"], "password": {}}), 422) == {
        "login": ["is invalid"],
        "password": ["is invalid"],
    }


def test_signing_in_through_others_is_not_supported(cube):
    said = {"provider": "facebook", "keys": {"token": "x"}}
    assert errors(cube.open(**said), 422) == {"provider": ["is not supported"]}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"1", "application/json"),
        (b'{"a":NaN}', "application/json"),
        (b'{"a":"\xff"}', "application/json"),
        (b"a=%", FORM),
        (b"a=%ff", FORM),
        (b"a=1&a[b]=2", FORM),
        (b"\xff\xfe", FORM),
    ],
)
def test_what_is_neither_json_nor_a_form_is_a_bad_request(cube, body, content_type):
    answer = cube.ask("POST", "/session", body, content_type=content_type)
    assert errors(answer, 400) == ["Bad request"]


def test_what_no_database_can_keep_is_refused(cube):
    answer = cube.open(user={"login": "a\0b", "password": "x"})
    assert errors(answer, 422) == ["Null characters are not allowed."]
    deep = value = {}
    for _ in range(80):
        value["a"] = value = {}
    assert "Nested" in errors(cube.open(user=deep), 422)[0]


# -- signatures


def test_the_contracts_signatures_are_ours():
    said = {"application_id": 1, "auth_key": "testkey", "nonce": 33432, "timestamp": 1544010993}
    text = signed_text(said)
    assert text == "application_id=1&auth_key=testkey&nonce=33432&timestamp=1544010993"
    assert sign(text, "testsecret") == "e28137aeebbad8ba03f1721cc5b70f4ac527f7ad"
    user = {"login": "john", "password": "p@ss w+rd&1"}
    assert (
        sign(signed_text({**said, "user": user}), "testsecret")
        == "d2bf6789799baa7827a3165b11128fbd92cb7561"
    )


def signed(cube, text_of=str, **said):
    pairs = {**cube.opening, "nonce": 33432, **said}
    flat = {}
    for key, value in pairs.items():
        if isinstance(value, dict):
            flat |= {f"{key}[{inner}]": v for inner, v in value.items()}
        else:
            flat[key] = value
    text = "&".join(sorted(f"{key}={text_of(value)}" for key, value in flat.items()))
    digest = hmac.new(cube.keys.auth_secret.encode(), text.encode(), hashlib.sha1)
    return {**pairs, "signature": digest.hexdigest()}


def now():
    return int(timezone.now().timestamp())


def test_a_signed_request_opens_a_session(cube, person):
    person("john")
    user = {"login": "john", "password": "secret 1"}
    said = signed(cube, timestamp=now(), user=user)
    assert cube.ask("POST", "/session", said).json()["session"]["nonce"] == 33432


def test_numbers_are_signed_as_they_are_written(cube):
    stamp = f"{now()}.250"
    said = signed(cube, timestamp=stamp)
    body = json.dumps(said).replace(f'"{stamp}"', stamp)
    assert f'"timestamp": {stamp}' in body
    assert cube.ask("POST", "/session", body.encode()).status_code == 201


def test_a_form_is_signed_over_its_decoded_values(cube, person):
    person("john")
    said = signed(cube, timestamp=now(), **{"user[login]": "john", "user[password]": "secret 1"})
    form = "&".join(f"{quote(k, safe='')}={quote(str(v))}" for k, v in said.items())
    assert cube.ask("POST", "/session", form).status_code == 201


def test_a_wrong_signature_is_unexpected_signed_or_not(cube):
    good = signed(cube, timestamp=now())
    for wrong in ({**good, "signature": "0" * 40}, {**good, "nonce": 1}, {**good, "extra": "x"}):
        assert errors(cube.ask("POST", "/session", wrong), 422) == ["Unexpected signature"]
    assert not UsedNonce.objects.exists()


def test_an_application_may_insist_on_signatures(cube):
    change_app(ChangeApp(app=cube.keys.app, cube_signature_required=True))
    assert errors(cube.open(), 422) == ["Unexpected signature"]
    assert cube.ask("POST", "/session", signed(cube, timestamp=now())).status_code == 201


@pytest.mark.parametrize("off", [-3700, 3700, None])
def test_a_signed_clock_may_be_an_hour_off(cube, off):
    said = signed(cube, timestamp="soon" if off is None else now() + off)
    assert errors(cube.ask("POST", "/session", said), 422) == {"timestamp": ["invalid timestamp"]}
    assert cube.ask("POST", "/session", signed(cube, timestamp=now() - 3500)).status_code == 201


def test_a_nonce_opens_one_session_per_timestamp(cube, other_cube):
    said = signed(cube, timestamp=now())
    assert cube.ask("POST", "/session", said).status_code == 201
    assert errors(cube.ask("POST", "/session", said), 422) == {"nonce": ["has already been used"]}
    assert (
        cube.ask("POST", "/session", signed(cube, timestamp=said["timestamp"] - 1)).status_code
        == 201
    )
    there = signed(other_cube, timestamp=said["timestamp"])
    assert other_cube.ask("POST", "/session", there).status_code == 201


# -- people made known on the way in


def test_nobody_is_made_known_by_default(cube):
    assert errors(cube.open(user={"login": "new", "password": "secret 1"}), 401) == ["Unauthorized"]
    assert not User.objects.exists()


def test_an_application_may_have_unknown_users_made_known(cube):
    change_app(ChangeApp(app=cube.keys.app, cube_creates_users=True))
    said = {"login": "newcomer", "password": "secret 1"}
    first = cube.open(user=said).json()["session"]["user"]["id"]
    assert cube.open(user=said).json()["session"]["user"]["id"] == first
    assert errors(cube.open(user={**said, "password": "wrong"}), 401) == ["Unauthorized"]


def test_a_guest_has_a_day_and_no_password(cube):
    answer = cube.open(user={"guest": "1", "full_name": "Olof"})
    guest = answer.json()["session"]["user"]
    assert (guest["full_name"], guest["is_guest"]) == ("Olof", True)
    assert timedelta(hours=23) < left_of(answer) <= timedelta(days=1)
    said = {"login": guest["login"], "password": ""}
    assert cube.open(user=said).status_code == 422
    assert cube.open(user={**said, "password": "None"}).status_code == 401


# -- living and ending


def test_every_request_prolongs_the_session(john):
    Session.objects.update(expires_at=timezone.now() + timedelta(minutes=5))
    answer = john.ask("GET", "/session")
    assert timedelta(minutes=119) < left_of(answer) < timedelta(minutes=121)
    assert expiry_of(answer) == Session.objects.get().expires_at.replace(microsecond=0)


def test_a_guests_session_is_not_prolonged(cube):
    until = timezone.now() + timedelta(hours=3)
    token = cube.open(user={"guest": True}).json()["session"]["token"]
    User.objects.update(guest_until=until)
    Session.objects.update(expires_at=until)
    answer = cube.ask("GET", "/session", headers={"CB-Token": token})
    assert expiry_of(answer) == until.replace(microsecond=0)


def test_refusals_tell_of_the_expiry_too(john):
    for answer in (
        john.ask("POST", "/events", {}),
        john.ask("DELETE", "/subscriptions/1"),
        john.ask("PATCH", "/session"),
    ):
        assert answer.status_code >= 400
        assert EXPIRY in answer.headers


def test_the_ancestors_clients_have_headers_of_their_own(cube, person):
    token = cube.of(person("john")).token
    answer = cube.ask("GET", "/session", headers={"QB-Token": token})
    assert answer.headers["QB-Token-ExpirationDate"] == answer.headers[EXPIRY]


def test_no_token_is_another_refusal_than_a_dead_one(cube, john):
    assert errors(cube.ask("GET", "/session"), 401) == ["Token is required"]
    dead = {"base": ["Required session does not exist"]}
    assert errors(cube.ask("GET", "/session", headers={"CB-Token": "no"}), 401) == dead
    Session.objects.update(expires_at=timezone.now())
    answer = john.ask("GET", "/session")
    assert answer.content == b'{"errors":{"base":["Required session does not exist"]}}'
    assert answer.status_code == 401


def test_a_session_can_be_read(john):
    session = john.ask("GET", "/session").json()["session"]
    assert list(session) == [*KEYS, "user"]
    assert session["token"] == john.token


def test_a_session_can_be_ended_and_no_other_with_it(cube, john):
    other = cube.of(john.user)
    answer = john.ask("DELETE", "/session")
    assert (answer.status_code, answer.content) == (200, b"")
    assert john.ask("GET", "/session").status_code == 401
    assert other.ask("GET", "/session").status_code == 200


def test_a_users_other_sessions_can_be_ended(cube, john, jane):
    other = cube.of(john.user)
    assert john.ask("DELETE", "/session/list.json").status_code == 200
    assert other.ask("GET", "/session").status_code == 401
    assert john.ask("GET", "/session").status_code == 200
    assert jane.ask("GET", "/session").status_code == 200


def test_what_is_over_is_forgotten(cube, john):
    said = signed(cube, timestamp=now())
    cube.ask("POST", "/session", said)
    Session.objects.filter(user=None).update(expires_at=timezone.now())
    forget_expired_sessions(now=timezone.now())
    assert Session.objects.get().user == john.user
    assert UsedNonce.objects.exists()
    forget_expired_sessions(now=timezone.now() + timedelta(hours=3))
    assert not UsedNonce.objects.exists()


def test_being_there_is_seen(john):
    User.objects.update(last_active_at=None)
    john.ask("GET", "/session")
    john.user.refresh_from_db()
    assert timezone.now() - john.user.last_active_at < timedelta(seconds=10)


# -- logging in and out


def test_a_login_makes_the_session_the_users_own(cube, person):
    application = cube.of(None)
    john = person("john")
    answer = application.ask("POST", "/login", {"login": "john", "password": "secret 1"})
    assert answer.status_code == 202
    assert list(answer.json()) == ["user"]
    assert application.ask("GET", "/session").json()["session"]["user_id"] == john.pk
    answer = application.ask("DELETE", "/login.json")
    assert (answer.status_code, answer.content) == (200, b"")
    session = application.ask("GET", "/session").json()["session"]
    assert session["user_id"] is None
    assert "user" not in session


def test_a_login_is_refused_like_a_session(cube, person):
    person("john")
    application = cube.of(None)
    said = {"login": "john", "password": "wrong"}
    assert errors(application.ask("POST", "/login", said), 401) == ["Unauthorized"]
    assert errors(application.ask("POST", "/login", {"login": "john"}), 422) == {
        "password": ["can't be blank"]
    }
    assert errors(cube.ask("POST", "/login", said), 401) == ["Token is required"]


def test_many_wrong_passwords_for_one_name_have_to_wait(cube, person):
    person("john"), person("jane")
    wrong = {"login": "john", "password": "wrong"}
    for _ in range(MOST):
        assert cube.open(user=wrong).status_code == 401
    right = {**wrong, "password": "secret 1"}
    answer = cube.open(user=right)
    assert errors(answer, 429) == ["Too Many Requests"]
    assert int(answer.headers["Retry-After"]) > 0
    assert cube.open(user={**right, "login": "jane"}).status_code == 201


def test_a_burst_of_right_passwords_never_waits(cube, person):
    person("john")
    right = {"login": "john", "password": "secret 1"}
    for _ in range(2 * MOST):
        assert cube.open(user=right).status_code == 201
    for _ in range(MOST - 1):
        assert cube.open(user={**right, "password": "wrong"}).status_code == 401
    assert cube.open(user=right).status_code == 201


def test_a_broker_that_is_away_keeps_nobody_from_signing_in(cube, person, settings):
    person("john")
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    }
    right = {"login": "john", "password": "secret 1"}
    assert cube.open(user={**right, "password": "wrong"}).status_code == 401
    assert cube.open(user=right).status_code == 201
