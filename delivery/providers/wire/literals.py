"""HPACK primitives for the sending side (RFC 7541 §5): integers, strings, literals."""

from functools import lru_cache
from typing import Final

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

NEVER_INDEXED: Final = 0x10
NOT_INDEXED: Final = 0x00
INDEXED_LATER: Final = 0x40

# RFC 7541 appendix A, the names a push has use for
STATIC_NAMES: Final = {
    b":authority": 1,
    b":path": 4,
    b"accept": 19,
    b"accept-encoding": 16,
    b"authorization": 23,
    b"content-length": 28,
    b"content-type": 31,
    b"user-agent": 58,
}

_HUFFMAN: Final = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
# RFC 9110 §5.5 allows what is left: HTAB, visible ASCII, space and obs-text
_VALUE_BYTES: Final = bytes({9, *range(32, 127), *range(128, 256)})
_NAME_BYTES: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"


def integer(flags: int, bits: int, number: int) -> bytes:
    """Return `number` behind `flags`, in a prefix of `bits` bits (§5.1)."""
    limit = (1 << bits) - 1
    if number < limit:
        return bytes((flags | number,))
    number -= limit
    octets = [flags | limit]
    while number >= 128:
        octets.append(number & 127 | 128)
        number >>= 7
    return bytes((*octets, number))


# Nearly every string is shorter than this, and looking its length up beats working it out.
_SHORT: Final = 1024
_STRING_HEADS: Final = tuple(integer(0, 7, n) for n in range(_SHORT))
_PATH_HEADS: Final = tuple(b"\x14" + head for head in _STRING_HEADS)


def string(value: bytes) -> bytes:
    """Return a string without Huffman coding (§5.2)."""
    size = len(value)
    return (_STRING_HEADS[size] if size < _SHORT else integer(0, 7, size)) + value


def path_head(size: int) -> bytes:
    """Return what stands before a :path of that length.

    Apple asks for :path as a literal that is not indexed, or tokens would push the useful entries
    out of the table (Establishing a connection to APNs). Never-indexed (§6.2.3) because it is
    somebody's address.
    """
    return _PATH_HEADS[size] if size < _SHORT else b"\x14" + integer(0, 7, size)


def encode_literal(name: bytes, value: bytes, *, compress: bool = False) -> bytes:
    """Return one header field no table will remember, for `Request.literals`.

    For what is unique to a request or secret: ids, collapse ids, `authorization`. Names are lower
    case. `compress` saves a fifth of the bytes and costs time per character: worth it for a value
    encoded once and sent often, such as a bearer.
    """
    if value.translate(None, _VALUE_BYTES):
        raise ValueError("a header value may not hold control characters")
    if compress:
        coded = _HUFFMAN.encode(value)
        return _name(name) + integer(0x80, 7, len(coded)) + coded
    size = len(value)
    return _name(name) + (_STRING_HEADS[size] if size < _SHORT else integer(0, 7, size)) + value


@lru_cache(maxsize=256)
def _name(name: bytes) -> bytes:
    """Return a never-indexed representation up to where its value begins."""
    if name.translate(None, _NAME_BYTES) or not name:
        raise ValueError(f"not a header name in lower case: {name!r}")
    return named(NEVER_INDEXED, 4, name)


def named(form: int, bits: int, name: bytes) -> bytes:
    """Return the start of a literal of some form: its name, by static index where there is one."""
    index = STATIC_NAMES.get(name, 0)
    return integer(form, bits, index) + (b"" if index else string(name))
