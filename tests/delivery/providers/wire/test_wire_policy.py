import ssl

import pytest

from delivery.providers.wire import Endpoint, Policy


@pytest.mark.parametrize(
    ("host", "port", "server_name", "authority"),
    [
        ("api.push.apple.com", 443, None, b"api.push.apple.com"),
        ("api.push.apple.com", 2197, None, b"api.push.apple.com:2197"),
        ("127.0.0.1", 8443, "localhost", b"localhost:8443"),
        ("::1", 8443, None, b"[::1]:8443"),
    ],
)
def test_the_authority_names_the_server_and_any_unusual_port(host, port, server_name, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert Endpoint(host, port, context, server_name).authority == authority


def test_a_busy_pool_looks_often_enough_to_be_in_time():
    assert Policy().tick <= 0.5
    assert Policy(request_timeout=0.4).tick <= 0.05
    assert Policy().idle_tick <= 30
