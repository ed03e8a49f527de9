"""Whom we believe at the other end of a TLS connection."""

import ssl
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

HTTP1, HTTP2 = "http/1.1", "h2"
"""As ALPN names them."""


def trust(ca_pem: str = "", *, protocol: str = HTTP2) -> ssl.SSLContext:
    """Give a context of one's own: the system's authorities, or none but the given one.

    For whoever adds a certificate to it, or hands it to a library that changes it.
    """
    context = ssl.create_default_context(cadata=ca_pem or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    return context


class Shared(ssl.SSLContext):
    """A context that stays as it is: HTTP libraries set protocols anew with each connection.

    OpenSSL would let one thread do that while another is reading them.
    """

    offered: str

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Leave what is offered; raises `ValueError` where that is something else."""
        if (asked := list(alpn_protocols)) != [self.offered]:
            raise ValueError(f"this TLS context offers {self.offered}, not {asked}")

    def load_cert_chain(self, *_: Any, **__: Any) -> None:
        """Raise `TypeError`: a certificate would be shown by everybody."""
        raise TypeError("a shared TLS context has no certificate")


@lru_cache(maxsize=16)
def shared_trust(ca_pem: str = "", *, protocol: str = HTTP2) -> Shared:
    """Give the context of all who trust the same and show no certificate, for one protocol.

    To read the system's authorities takes 22 ms, and 0.85 MiB to keep them: for each credential of
    a thousand apps, in each process.
    """
    context = trust(ca_pem, protocol=protocol)
    context.__class__ = Shared  # Python's own defaults make no other kind
    shared = cast("Shared", context)
    shared.offered = protocol
    return shared
