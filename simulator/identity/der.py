"""The little DER that Apple's certificate extension needs: sequences of UTF-8 strings."""

UTF8_STRING = 0x0C
SEQUENCE = 0x30


def encode(tag: int, content: bytes) -> bytes:
    """Return one value with its tag and length."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def strings(data: bytes) -> list[str]:
    """Return the strings directly inside the sequence, leaving nested sequences out."""
    _, content, _ = _take(data)
    found = []
    while content:
        tag, value, content = _take(content)
        if tag == UTF8_STRING:
            found.append(value.decode())
    return found


def _take(data: bytes) -> tuple[int, bytes, bytes]:
    tag, size, start = data[0], data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    return tag, data[start : start + size], data[start + size :]


def topics_extension(topics: dict[str, str]) -> bytes:
    """Return the value of Apple's topic extension: each topic followed by its kind."""
    content = b"".join(
        encode(UTF8_STRING, topic.encode()) + encode(SEQUENCE, encode(UTF8_STRING, kind.encode()))
        for topic, kind in topics.items()
    )
    return encode(SEQUENCE, content)
