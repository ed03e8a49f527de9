"""No webhook leads to a neighbour of the gateway, whatever its name resolves to, and when."""

import ipaddress
import socket

import pytest

from delivery.webhooks import addresses
from delivery.webhooks.addresses import Refused, is_public, resolve, usable
from delivery.webhooks.client import Client
from tests.delivery.webhooks.receiver import Receiver

INSIDE = [
    "127.0.0.1",
    "127.255.0.9",
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.4",
    "203.0.113.5",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "100::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = ["8.8.8.8", "1.1.1.1", "151.101.1.6", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_of_the_open_internet_is_refused(address):
    with pytest.raises(Refused):
        usable([address], allowed=[], plain=False)


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_of_the_open_internet_is_not(address):
    assert usable([address], allowed=[], plain=False) == [address]
    assert is_public(ipaddress.ip_address(address))


def test_an_operator_may_allow_a_network_and_nothing_beside_it():
    allowed = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]

    assert usable(["10.1.2.3"], allowed=allowed, plain=True) == ["10.1.2.3"]
    assert usable(["::ffff:10.1.2.3"], allowed=allowed, plain=True) == ["10.1.2.3"]
    assert usable(["fd12::1"], allowed=allowed, plain=True) == ["fd12::1"]
    with pytest.raises(Refused):
        usable(["192.168.0.1"], allowed=allowed, plain=False)


def test_in_the_clear_only_what_is_allowed_is_reached():
    with pytest.raises(Refused, match="https"):
        usable(["8.8.8.8"], allowed=[], plain=True)


def test_of_several_addresses_only_the_fit_are_used():
    assert usable(["127.0.0.1", "8.8.8.8"], allowed=[], plain=False) == ["8.8.8.8"]


def test_a_name_without_an_address_and_one_nobody_knows_are_refused():
    with pytest.raises(Refused):
        usable([], allowed=[], plain=False)
    with pytest.raises(Refused):
        resolve("no-such-host.invalid", 443, within=5)


def test_a_resolver_that_does_not_answer_is_not_waited_for(monkeypatch):
    import threading

    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: answered.wait(10))
    with pytest.raises(Refused, match="too long"):
        resolve("slow.example", 443, within=0.05)
    answered.set()


@pytest.fixture
def names(monkeypatch):
    """Let names resolve to what a test says, one answer after the other; the last one stays."""
    answers = {}
    asked = []

    def resolver(host, port, *_args, **_named):
        asked.append(host)
        found = answers[host]
        address = found.pop(0) if len(found) > 1 else found[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", resolver)
    answers["asked"] = asked
    return answers


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
def test_a_name_that_leads_inside_is_not_connected_to(names, settings, inside):
    settings.WEBHOOK_ALLOW = []
    names["hook.example"] = [inside]
    receiver = Receiver()

    answer = Client(f"https://hook.example:{receiver.port}/").post(b"{}", {})

    receiver.close()
    assert receiver.connections == 0
    assert (answer.status, answer.said) == (None, "its address is not on the public internet")


def test_a_name_that_changes_its_mind_is_looked_up_once_and_looked_at(names, settings, monkeypatch):
    """DNS rebinding: fit when it is looked at, inside when it is connected to."""
    settings.WEBHOOK_ALLOW = []
    names["hook.example"] = ["8.8.8.8", "127.0.0.1"]
    connected = []

    def connect(address, *_args, **_named):
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    client = Client("https://hook.example/")

    assert client.post(b"{}", {}).status is None
    assert connected == ["8.8.8.8"]
    assert names["asked"] == ["hook.example"]

    # the next connection looks again, and at what there is by then
    assert "public" in client.post(b"{}", {}).said
    assert connected == ["8.8.8.8"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"])
def test_odd_spellings_of_loopback_are_looked_at_as_what_they_are(host, settings):
    settings.WEBHOOK_ALLOW = []
    answer = Client(f"https://{host}/").post(b"{}", {})
    assert answer.status is None
    assert "public internet" in answer.said or "looked up" in answer.said
