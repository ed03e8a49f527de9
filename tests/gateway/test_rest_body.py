"""Bodies as they come off the wire: strict for backends, forgiving for devices, bounded for all."""

import io
import json

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError

from gateway.rest.body import DRAINED, json_array, json_object

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def request(body: bytes):
    return RequestFactory().post("/", body, content_type="text/plain")


def chunked(body: bytes):
    """Give a request without a length, as servers hand on a chunked one."""
    asked = RequestFactory().post("/", b"", content_type="text/plain")
    asked.META.pop("CONTENT_LENGTH", None)
    asked.META["HTTP_TRANSFER_ENCODING"] = "chunked"
    asked.META["wsgi.input"] = io.BytesIO(body)
    return asked


@given(st.dictionaries(st.text(max_size=3), values))
def test_any_object_is_read_back(sent):
    assert json_object(request(json.dumps(sent).encode())) == sent


@given(st.lists(values))
def test_any_array_is_read_back(sent):
    assert json_array(request(json.dumps(sent).encode())) == sent


@given(st.lists(st.text(st.characters(), max_size=5)))
def test_an_array_with_halves_of_characters_is_read_with_question_marks(sent):
    body = json.dumps([*sent, "\ud83d"]).encode()
    assert b"\\ud83d" in body
    *found, last = json_array(request(body))
    assert last == "?"
    assert found == [text.encode("utf-8", "replace").decode() for text in sent]


@given(st.binary(max_size=30))
def test_any_bytes_are_json_or_refused(body):
    for read in (json_object, json_array):
        try:
            found = read(request(body))
        except ParseError:
            continue
        assert isinstance(found, dict | list)


def test_a_chunked_body_is_read_to_its_end():
    assert json_object(chunked(b'{"a": 1}')) == {"a": 1}
    assert json_array(chunked(b"[1]")) == [1]


@pytest.mark.parametrize("build", [request, chunked])
def test_a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_not(settings, build):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert json_array(build(b"[1,2,3,45]")) == [1, 2, 3, 45]
    with pytest.raises(ParseError, match="too large"):
        json_array(build(b"[1,2,3,456]"))


def test_what_is_too_large_is_read_off_the_line_but_not_without_end(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000
    for size, left in ((300_000, 0), (3_000_000, 3_000_000 - 100_001 - DRAINED * 100_000)):
        asked = chunked(b"x" * size)
        with pytest.raises(ParseError, match="too large"):
            json_array(asked)
        unread = len(asked.META["wsgi.input"].read())
        assert left - (1 << 16) <= unread <= left
