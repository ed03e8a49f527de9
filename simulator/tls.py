"""TLS as each side of the simulator offers it."""

import ssl
from pathlib import Path


def apns_tls(server_file: Path, ca_file: Path) -> ssl.SSLContext:
    """Return TLS that speaks HTTP/2 alone and asks for, but does not insist on, a certificate."""
    context = _server_tls(server_file, ["h2"])
    context.load_verify_locations(ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def fcm_tls(server_file: Path) -> ssl.SSLContext:
    """Return TLS that speaks HTTP/2 and HTTP/1.1."""
    return _server_tls(server_file, ["h2", "http/1.1"])


def _server_tls(server_file: Path, protocols: list[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Apple: TLS 1.2 or later
    context.load_cert_chain(server_file)
    context.set_alpn_protocols(protocols)
    return context
