import socket
import ssl
import struct
from contextlib import suppress

import pytest

from delivery.providers.wire.tls import Tls, salvage


def test_what_a_reset_socket_still_holds_can_be_read():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        theirs.sendall(b"last words")
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with ours:
            with pytest.raises(OSError, match="reset"):
                ours.sendall(b"x")
            assert b"".join(salvage(ours)) == b"last words"
            assert ours.fileno() >= 0, "the socket itself is left open"
        assert list(salvage(ours)) == []
    assert list(salvage(None)) == []


@pytest.fixture
def session(certificates):
    """A client past its handshake, and the server's end of it."""
    client = Tls(certificates.client(), "localhost")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = certificates.server().wrap_bio(incoming, outgoing, server_side=True)
    client.shake_hands()
    for _ in range(4):
        incoming.write(client.output())
        with suppress(ssl.SSLWantReadError):
            server.do_handshake()
        if not client.established:
            client.shake_hands(outgoing.read())
    return client, server, incoming, outgoing


def test_both_sides_read_what_the_other_has_sealed(session):
    client, server, incoming, outgoing = session
    assert client.established
    assert client.speaks_http2
    client.seal(b"question" * 10_000)
    incoming.write(client.output())
    heard = b""
    while len(heard) < 80_000:
        heard += server.read(1 << 20)
    assert heard == b"question" * 10_000
    server.write(b"answer" * 10_000)
    sealed = outgoing.read()
    assert client.open(sealed[:20_001]) + client.open(sealed[20_001:]) == b"answer" * 10_000
    assert client.open(b"") == b""
    assert not client.ended


def test_the_end_of_a_session_is_noticed_after_its_last_words(session):
    client, server, _, outgoing = session
    server.write(b"bye")
    with pytest.raises(ssl.SSLWantReadError):
        server.unwrap()
    assert client.open(outgoing.read()) == b"bye"
    assert client.ended


def test_bytes_that_were_tampered_with_are_an_error(session):
    client, server, _, outgoing = session
    server.write(b"answer")
    sealed = bytearray(outgoing.read())
    sealed[-1] ^= 1
    with pytest.raises(ssl.SSLError):
        client.open(bytes(sealed))


def test_what_came_before_a_fault_still_counts(session):
    client, server, _, outgoing = session
    server.write(b"answer")
    assert client.open(outgoing.read() + b"\x17\x03\x03\x00\x20" + bytes(32)) == b"answer"
    assert client.ended
