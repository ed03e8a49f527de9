import pytest
from hpack import Decoder, NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.wire import encode_literal
from delivery.providers.wire.literals import integer, path_head, string

NAMES = st.sampled_from([b"apns-id", b"authorization", b"content-type", b"x" * 200])
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=1500)


@given(name=NAMES, value=VALUES, compress=st.booleans())
def test_a_literal_decodes_to_what_went_in_and_asks_never_to_be_indexed(name, value, compress):
    decoder = Decoder()
    [field] = decoder.decode(encode_literal(name, value.encode(), compress=compress), raw=True)
    assert (bytes(field[0]), bytes(field[1])) == (name, value.encode())
    assert isinstance(field, NeverIndexedHeaderTuple)
    assert not decoder.header_table.dynamic_entries


@given(st.integers(0, 5000))
def test_a_path_of_any_length_decodes(size):
    path = b"/" * size
    [field] = Decoder().decode(path_head(size) + path, raw=True)
    assert (bytes(field[0]), bytes(field[1])) == (b":path", path)


@given(number=st.integers(0, 2**31), bits=st.integers(4, 7))
def test_integers_are_those_of_the_standard(number, bits):
    from hpack.hpack import decode_integer

    encoded = integer(0, bits, number)
    assert decode_integer(encoded, bits) == (number, len(encoded))


@given(st.binary(max_size=3000))
def test_a_string_says_its_length_first(value):
    assert string(value).endswith(value)
    assert len(string(value)) - len(value) <= 3


@pytest.mark.parametrize("value", [b"a\r\nb", b"\x00", b"\x7f"])
def test_control_characters_are_refused_in_values(value):
    with pytest.raises(ValueError, match="control"):
        encode_literal(b"apns-id", value)


@pytest.mark.parametrize("name", [b"", b"Apns-Id", b"a b", b":path", b"a\n"])
def test_names_must_be_lower_case_tokens(name):
    with pytest.raises(ValueError, match="header name"):
        encode_literal(name, b"x")


def test_a_compressed_bearer_is_shorter():
    bearer = b"bearer eyJhbGciOiJFUzI1NiIsImtpZCI6IktFWUlEMTIzNDUifQ.eyJpc3MiOiJURUFNSUQxMjM0In0"
    plain = encode_literal(b"authorization", bearer)
    assert len(encode_literal(b"authorization", bearer, compress=True)) < len(plain) * 0.85
