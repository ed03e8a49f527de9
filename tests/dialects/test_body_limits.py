"""Bodies that hold more than anybody needs: refused with a word, before anything follows them."""

import pytest
from connectycube_calls import errors
from kumulos_calls import refused

from gateway.rest import body, bracketed, storable


@pytest.fixture
def cube(cube):
    return cube.of(None)


def nested(levels: int, key: str = "x") -> bytes:
    """Give an object of so many levels, every other an array."""
    pairs = (levels - 1) // 2
    inside = b'[{"a":' * pairs + (b"[]" if (levels - 1) % 2 else b"1") + b"}]" * pairs
    return b'{"%s":%s}' % (key.encode(), inside)


LEVELS = [body.DEEPEST + 1, body.DEEPEST + 2, 1000, 1024, 1025, 100_000]


@pytest.mark.parametrize("levels", LEVELS)
def test_kumulos_refuses_a_body_nested_too_deep(backend, levels):
    said = refused(backend.ask("POST", "/notifications", nested(levels)))
    assert "levels deep" in said["error"] or "valid JSON" in said["error"]


def test_a_body_of_just_so_many_levels_is_read(backend):
    answer = backend.ask("POST", "/notifications", nested(body.DEEPEST))
    assert "title" in answer.json(), "its members are judged"


@pytest.mark.parametrize("levels", LEVELS)
def test_a_devices_queue_nested_without_end_is_stored_or_refused(device, levels):
    path = "/v1/app-installs/one/events"
    answer = device.ask("POST", path, b"[" + nested(levels) + b"]")
    assert answer.status_code in {202, 422}


@pytest.mark.parametrize("path", ["/users", "/session"])
@pytest.mark.parametrize("levels", LEVELS)
def test_connectycube_refuses_a_body_nested_too_deep(cube, path, levels):
    answer = cube.ask("POST", path, nested(levels, "user"))
    if answer.status_code == 400:
        assert levels > 900, "no reader takes that"
    else:
        assert errors(answer, 422) == [f"Nested more than {storable.DEEPEST} levels deep."]


def test_a_form_nested_too_deep_is_refused_with_a_word(cube):
    form = "user" + "[a]" * bracketed.DEEPEST + "=1"
    [said] = errors(cube.ask("POST", "/users", form), 422)
    assert f"more than {bracketed.DEEPEST} levels" in said


def test_a_form_of_too_many_pairs_is_refused_with_a_word(cube):
    form = "&".join(f"a{n}=1" for n in range(bracketed.MOST_PAIRS + 1))
    assert errors(cube.ask("POST", "/users", form), 422) == [
        f"More than {bracketed.MOST_PAIRS} pairs"
    ]


@pytest.mark.parametrize("query", ["a" + "[a]" * bracketed.DEEPEST + "=1", "[" * 50])
def test_a_query_nested_too_deep_is_refused_with_a_word(cube, query):
    [said] = errors(cube.ask("GET", f"/users?{query}"), 422)
    assert "levels" in said


def test_more_values_than_a_body_may_hold_are_refused_unread(backend, device, cube, settings):
    settings.MAX_BODY_VALUES = 1000
    many = b"[" + b"1," * 1000 + b"1]"
    said = refused(backend.ask("POST", "/notifications", b'{"userIds":%s}' % many))
    assert said == {"error": "The body holds more than 1000 values."}
    assert device.ask("POST", "/v1/app-installs/one/events", many).status_code == 422
    answer = cube.ask("POST", "/users", b'{"user":%s}' % many)
    assert errors(answer, 422) == ["The body holds more than 1000 values."]
    fewer = b'{"title":"a","message":"b","userIds":[%s]}' % b",".join([b'"u"'] * 990)
    assert backend.ask("POST", "/notifications", fewer).status_code == 201


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 5000, "NaN", "Infinity"])
def test_numbers_beyond_all_limits_are_refused(backend, cube, number):
    spelled = number.encode()
    refused(backend.ask("POST", "/notifications", b'{"ttl":%s}' % spelled))
    assert errors(cube.ask("POST", "/users", b'{"user":%s}' % spelled), 400) == ["Bad request"]


@pytest.mark.parametrize("number", ["9" * 30, "-" + "9" * 30, "1e300"])
def test_numbers_nobody_can_count_to_are_refused_where_they_stand(backend, number):
    body_ = b'{"title":"a","message":"b","broadcast":true,"ttl":%s}' % number.encode()
    refused(backend.ask("POST", "/notifications", body_), "ttl")
