"""Which addresses a webhook may lead to: the public internet, and what an operator allows besides.

Whoever may name a URL could otherwise have the gateway knock on its neighbours' doors. A name says
nothing: what it resolves to is looked at for each connection, and only that is connected to.
"""

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
Allowed = Sequence[IPv4Network | IPv6Network]

NEVER = [
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "100.64.0.0/10",  # a carrier's inside, and some clouds'
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "::/96",
        "fec0::/10",
        "2001::/23",
    )
]
"""What Python calls global in some of its versions, and we never do."""

NAT64 = ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48")


class Refused(Exception):
    """An address is none we connect to, or a name has none; the text may be shown."""


def is_allowed(address: IPAddress, *, allowed: Allowed) -> bool:
    """Say whether an operator named the network of an address."""
    return any(address in network for network in allowed if network.version == address.version)


def is_public(address: IPAddress) -> bool:
    """Say whether an address is one of the open internet, and hides none that is not."""
    if isinstance(address, IPv6Address):
        if any(address in network for network in NAT64):
            return False
        hidden = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if not all(is_public(inner) for inner in hidden if inner is not None):
            return False
    if any(address in network for network in NEVER if network.version == address.version):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def usable(found: Sequence[str], *, allowed: Allowed, plain: bool) -> list[str]:
    """Give the addresses of a name that may be connected to; raises `Refused` where none may.

    In the clear (`plain`) only what an operator named may.
    """
    if not found:
        raise Refused("its name has no address")
    addresses = [_unmapped(ip_address(text.partition("%")[0])) for text in found]
    fit = [
        address
        for address in addresses
        if is_allowed(address, allowed=allowed) or (not plain and is_public(address))
    ]
    if not fit:
        reason = "is not reached over https" if plain else "is not on the public internet"
        raise Refused(f"its address {reason}")
    return [str(address) for address in fit]


def _unmapped(address: IPAddress) -> IPAddress:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


_lookups = ThreadPoolExecutor(8, thread_name_prefix="lookup")


def resolve(host: str, port: int, *, within: float) -> list[str]:
    """Give what a name resolves to; raises `Refused` where it does not, or takes too long.

    The system's resolver knows no deadline, so it is asked aside.
    """
    asked = _lookups.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = asked.result(within)
    except TookTooLong as error:
        asked.cancel()
        raise Refused("looking its name up took too long") from error
    except (OSError, UnicodeError) as error:
        raise Refused("its name cannot be looked up") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
