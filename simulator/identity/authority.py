"""A private certificate authority, and the certificates it gives to the server and to a pusher.

Python 3.13 and later verify strictly: key identifiers and key usage are not optional.
"""

import datetime as dt
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from simulator.identity.der import topics_extension
from simulator.identity.files import kept

DAY = dt.timedelta(days=1)
LIFETIME = 3650 * DAY
NAMES = (
    "localhost",
    "simulator",
    "127.0.0.1",
    "::1",
    "api.push.apple.com",
    "api.sandbox.push.apple.com",
    "api.development.push.apple.com",
    "fcm.googleapis.com",
    "oauth2.googleapis.com",
)
TOPICS = ObjectIdentifier("1.2.840.113635.100.6.3.6")
DEVELOPMENT = ObjectIdentifier("1.2.840.113635.100.6.3.1")
PRODUCTION = ObjectIdentifier("1.2.840.113635.100.6.3.2")
NULL = b"\x05\x00"


@dataclass(frozen=True)
class Authority:
    """The CA: its certificate, its key, and the file clients trust."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    file: Path


def authority(directory: Path) -> Authority:
    """Return the CA of this directory, made on first use."""
    file = directory / "ca.pem"

    def make() -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Push simulator CA")
        builder = _builder(name, name, key.public_key(), key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        builder = builder.add_extension(_usage(sign_certificates=True), critical=True)
        certificate = builder.sign(key, hashes.SHA256())
        kept(directory / "ca.key", lambda: _private(key), replace=True)
        return certificate.public_bytes(serialization.Encoding.PEM)

    certificate = x509.load_pem_x509_certificate(kept(file, make))
    key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(certificate, key, file)


def server_certificate(directory: Path, ca: Authority, names: Iterable[str] = ()) -> Path:
    """Return a PEM with the server's certificate and key, renewed when a name is missing."""
    file = directory / "server.pem"
    wanted = list(dict.fromkeys((*NAMES, *names)))

    def make() -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name("localhost"), ca.certificate.subject, key.public_key(), ca.key)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general(name) for name in wanted]), critical=False
        )
        return _leaf(builder, ca, key, ExtendedKeyUsageOID.SERVER_AUTH)

    stale = not file.exists() or not _covers(file, wanted)
    kept(file, make, replace=stale)
    return file


def push_certificate(directory: Path, ca: Authority, topic: str) -> Path:
    """Return a PEM with an APNs client certificate for this topic, and its key."""

    def make() -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.USER_ID, topic),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Push Services: {topic}"),
            ]
        )
        builder = _builder(name, ca.certificate.subject, key.public_key(), ca.key)
        kinds = {topic: "app", f"{topic}.voip": "voip", f"{topic}.complication": "complication"}
        for oid, value in (
            (TOPICS, topics_extension(kinds)),
            (DEVELOPMENT, NULL),
            (PRODUCTION, NULL),
        ):
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
        return _leaf(builder, ca, key, ExtendedKeyUsageOID.CLIENT_AUTH)

    file = directory / "apns-certificate.pem"
    kept(file, make)
    return file


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        signer = signer.public_key()
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - DAY).not_valid_after(now + LIFETIME)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(public), critical=False
    )
    return builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False
    )


def _leaf(
    builder: x509.CertificateBuilder,
    ca: Authority,
    key: ec.EllipticCurvePrivateKey,
    purpose: ObjectIdentifier,
) -> bytes:
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_usage(sign_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    certificate = builder.sign(ca.key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM) + _private(key)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _covers(file: Path, names: Iterable[str]) -> bool:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    there = {str(general.value) for general in alternative}
    return set(names) <= there


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
