"""A user's attributes, read, replaced and deleted by a backend (contracts/kumulos §5.4, §6.2-5)."""

import json
from urllib.parse import quote

import pytest
from kumulos_calls import refused

from crm.commands.installs import AssociateUser, change_install
from crm.models import User

MARK = {"name": "Mark", "isCustomer": True, "age": 40}


def path(uid="user-1"):
    return f"/v1/users/{quote(uid, safe='')}/attributes"


@pytest.fixture
def put(backend):
    def ask(body, uid="user-1"):
        return backend.ask("PUT", path(uid), body)

    return ask


# -- set


def test_the_first_mention_creates_the_user(put, app):
    answer = put(MARK)
    assert answer.status_code == 200, answer.content
    assert list(answer.json().items()) == [("identifier", "user-1"), ("attributes", MARK)]
    user = User.objects.get()
    assert (user.app, user.uid, user.attributes, user.anonymous) == (app, "user-1", MARK, False)


def test_setting_replaces_all_attributes_and_moves_the_user_on(put):
    put(MARK)
    before = User.objects.get().updated_at
    assert put({"new": 1}).json()["attributes"] == {"new": 1}
    user = User.objects.get()
    assert user.attributes == {"new": 1}
    assert user.updated_at > before
    assert put({}).json()["attributes"] == {}


def test_an_attribute_named_attributes_is_one_like_any_other(put, backend):
    wrapped = {"name": "Mark", "attributes": {"name": "Mark"}}
    assert put(wrapped).json()["attributes"] == wrapped
    assert backend.ask("GET", path()).json() == wrapped


def test_the_last_write_wins_both_ways(put, phones):
    phones.install("install-1", user="user-1")
    put(MARK)
    install = phones.install("install-1")
    change_install(install, AssociateUser(user_uid="user-1", attributes={"by": "device"}))
    assert User.objects.get(uid="user-1").attributes == {"by": "device"}
    put({"by": "backend"})
    assert User.objects.get(uid="user-1").attributes == {"by": "backend"}


def test_an_installs_own_user_stays_anonymous(put, phones):
    phones.install("install-1")
    assert put(MARK, uid="install-1").status_code == 200
    user = User.objects.get()
    assert (user.anonymous, user.attributes) == (True, MARK)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"a"', b"1", b"{'a': 1}", b'{"a":NaN}']
)
def test_what_is_no_object_is_refused_and_creates_nobody(put, body):
    refused(put(body))
    assert not User.objects.exists()


def test_every_attribute_that_cannot_be_kept_is_named(put):
    deep: dict = {}
    for _ in range(100):
        deep = {"a": deep}
    body = {"ok": 1, "error": "\0", "inner": [{"\0": 1}], "deep": deep}
    refused(put(body), "attributes.error", "attributes.inner", "attributes.deep")
    assert not User.objects.exists()


@pytest.mark.parametrize("uid", ["x" * (User.UID_LIMIT + 1), "a\0b"])
def test_a_name_nobody_can_have_is_refused_on_writing_and_unknown_otherwise(put, backend, uid):
    refused(put(MARK, uid=uid), "userId")
    refused(put({"a": "\0"}, uid=uid), "userId", "attributes.a")
    assert not User.objects.exists()
    assert backend.ask("GET", path(uid)).status_code == 404
    assert backend.ask("DELETE", path(uid)).status_code == 400


@pytest.mark.parametrize(
    "uid",
    [
        "user/42 é@x",
        "a/attributes",
        "/",
        "x" * User.UID_LIMIT,
        "👋" * User.UID_LIMIT,
        "a\nb",
        "%2F",
        ".",
    ],
)
def test_a_name_may_be_any_text(put, backend, uid):
    assert put(MARK, uid=uid).json() == {"identifier": uid, "attributes": MARK}
    assert User.objects.get().uid == uid
    assert backend.ask("GET", path(uid)).json() == MARK
    assert backend.ask("DELETE", path(uid)).status_code == 204


@pytest.mark.parametrize(
    "attributes",
    [
        {"": None, "list": [1, 1.0, {"a": []}], "big": 2**64 - 1, "low": -(2**63), "f": 1e-7},
        {"error": "word", "non_field_errors": 1, "identifier": "x", "a.b": {"c": None}},
    ],
)
def test_attributes_are_kept_as_given(put, backend, attributes):
    def spelled(value):
        return json.dumps(value, sort_keys=True)

    assert spelled(put(attributes).json()["attributes"]) == spelled(attributes)
    assert spelled(backend.ask("GET", path()).json()) == spelled(attributes)


@pytest.mark.parametrize(
    "number", ["1e22", "1.7976931348623157e308", "123456789012345678901234567890"]
)
def test_numbers_beyond_64_bits_are_kept_as_closely_as_a_double_can(put, backend, number):
    assert put(f'{{"n":{number}}}'.encode()).status_code == 200
    assert float(backend.ask("GET", path()).json()["n"]) == float(number)


# -- read


def test_a_user_without_attributes_reads_an_empty_object(backend, phones):
    phones.install("install-1", user="user-1")
    answer = backend.ask("GET", path())
    assert (answer.status_code, answer.json()) == (200, {})


def test_an_unknown_user_is_404_on_reading_and_400_on_deleting(backend):
    for method, status in (("GET", 404), ("DELETE", 400)):
        answer = backend.ask(method, path("nobody"))
        assert answer.status_code == status, answer.content
        assert list(answer.json()) == ["error"]
    assert not User.objects.exists()


# -- delete


def test_deleting_leaves_the_user_without_attributes(put, backend):
    put(MARK)
    before = User.objects.get().updated_at
    answer = backend.ask("DELETE", path())
    assert (answer.status_code, answer.content) == (204, b"")
    user = User.objects.get()
    assert user.attributes == {}
    assert user.updated_at > before
    assert backend.ask("DELETE", path()).status_code == 204


# -- whose


def test_another_apps_user_of_the_same_name_is_somebody_else(put, other_backend):
    put(MARK)
    assert other_backend.ask("GET", path()).status_code == 404
    assert other_backend.ask("DELETE", path()).status_code == 400
    assert other_backend.ask("PUT", path(), {"theirs": True}).status_code == 200
    assert User.objects.filter(attributes=MARK).count() == 1
    assert User.objects.count() == 2


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_the_server_key_opens_attributes(device, method):
    answer = device.ask(method, path(), b"{")
    assert answer.status_code == 401, answer.content
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert not User.objects.exists()


@pytest.mark.parametrize("method", ["POST", "PATCH", "OPTIONS"])
def test_other_methods_are_405(backend, method):
    assert backend.ask(method, path(), {}).status_code == 405
