"""Certificates of the simulator's own authority whose time is over, or not."""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = dt.timedelta(days=1)


def push_certificate(folder: Path, *, ended: bool) -> str:
    """Give the sample client certificate and its key, valid until tomorrow or until yesterday."""
    return _reissued(folder, "apns-certificate.pem", ended=ended)


def server_certificate(folder: Path, *, ended: bool) -> str:
    """Give the server's certificate and its key, valid until tomorrow or until yesterday."""
    return _reissued(folder, "server.pem", ended=ended)


def _reissued(folder: Path, name: str, *, ended: bool) -> str:
    pem = (folder / name).read_bytes()
    model = x509.load_pem_x509_certificate(pem)
    key = serialization.load_pem_private_key(pem, None)
    authority = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(authority, ec.EllipticCurvePrivateKey)
    until = dt.datetime.now(dt.UTC) + (-DAY if ended else DAY)
    builder = x509.CertificateBuilder(
        subject_name=model.subject,
        issuer_name=model.issuer,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=until - 30 * DAY,
        not_valid_after=until,
        extensions=list(model.extensions),
    )
    issued = builder.sign(authority, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return (issued.public_bytes(serialization.Encoding.PEM) + private).decode()
