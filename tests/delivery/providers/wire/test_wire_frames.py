import pytest
from hyperframe.frame import Frame
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.wire import frames
from delivery.providers.wire.frames import ErrorCode, Violation


@given(
    kind=st.integers(11, 255),
    flags=st.integers(0, 255),
    stream=st.integers(0, frames.MAX_STREAM_ID),
    payload=st.binary(max_size=300),
)
def test_a_frame_is_what_another_implementation_reads(kind, flags, stream, payload):
    written = frames.frame(kind, flags, stream, payload)
    read, length = Frame.parse_frame_header(memoryview(written[:9]))
    read.parse_body(memoryview(written[9:]))
    assert (read.type, length, read.stream_id, read.body) == (kind, len(payload), stream, payload)


@given(st.dictionaries(st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)))
def test_settings_read_back_as_they_were_written(values):
    assert dict(frames.read_settings(frames.settings(values)[9:])) == values


@given(st.binary(max_size=50), st.integers(0, 49))
def test_padding_is_taken_off(data, padding):
    padded = bytes((padding,)) + data + bytes(padding)
    assert frames.unpadded(frames.PADDED, padded) == data
    assert frames.unpadded(0, padded) == padded


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x03ab"])
def test_padding_longer_than_the_frame_is_a_violation(payload):
    with pytest.raises(Violation, match="padding"):
        frames.unpadded(frames.PADDED, payload)


def test_error_codes_have_names_even_unknown_ones():
    assert frames.name_of(7) == "REFUSED_STREAM"
    assert frames.name_of(99) == "error 99"


def test_a_goaway_carries_its_code_and_words():
    written = frames.goaway(ErrorCode.PROTOCOL_ERROR, "no sense")
    assert frames.read_goaway(written[9:]) == (0, 1, b"no sense")
