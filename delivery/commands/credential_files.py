"""What an operator uploads → the secret of a credential, or one clear line about what it is."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)

from crm.errors import Invalid
from delivery.models import ProviderCredential
from delivery.providers.apns.certificate import topics_of

Kind = ProviderCredential.Kind
LARGEST = 100_000
"""Bytes; a .p12 with its whole chain has some ten thousand."""

EXPECTED = "expected a .p8, a .p12, a PEM with certificate and key, or a service account's JSON"
NOT_ACCOUNTS = {
    "project_info": "google-services.json, which belongs into the Android app",
    "client": "google-services.json, which belongs into the Android app",
    "installed": "an OAuth client",
    "web": "an OAuth client",
}
PFX_VERSION = b"\x02\x01\x03"
PKCS8 = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, kw_only=True, slots=True)
class Handed:
    """A secret in the form it is kept in."""

    provider: str
    kind: Kind
    secret: str


def read_file(content: bytes, *, passphrase: str = "", now: datetime) -> Handed:
    """Give what a file holds; raises `Invalid` with what is wrong with it, about `file`.

    A .p12 and an encrypted PEM are opened with the passphrase (`Invalid` about that, where it is
    wrong) and given as plain PEM. A certificate is good at `now` and comes with its own key.
    """
    if not content.strip():
        raise _wrong("is empty")
    if len(content) > LARGEST:
        raise _wrong(f"is larger than any key: {len(content):,} bytes")
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return _account(content)
    if b"-----BEGIN" in content:
        return _pem(content, passphrase, now)
    return _p12(content, passphrase, now)


def _wrong(reason: str) -> Invalid:
    return Invalid(reason, field="file")


def _account(content: bytes) -> Handed:
    try:
        text = content.decode("utf-8-sig")
        said = json.loads(text)
    except ValueError as error:
        raise _wrong(f"is not JSON: {error}") from error
    if said.get("type") != "service_account":
        known = next((what for name, what in NOT_ACCOUNTS.items() if name in said), None)
        what = known or f"JSON of type {said.get('type')!r}"
        raise _wrong(
            f"is {what}, not a service account: make its key in the Firebase console, under"
            " Project settings, Service accounts"
        )
    _check_account_key(said)
    return Handed(provider="fcm", kind=Kind.SERVICE_ACCOUNT, secret=text)


def _check_account_key(said: dict[str, Any]) -> None:
    for name in ("project_id", "client_email", "private_key", "token_uri"):
        if not isinstance(said.get(name), str) or not said[name]:
            raise _wrong(f"has no {name}")
    try:
        key = load_pem_private_key(said["private_key"].encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _wrong("has a private_key that cannot be read") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _wrong("has a private_key that is no RSA key")


def _pem(content: bytes, passphrase: str, now: datetime) -> Handed:
    if b"BEGIN CERTIFICATE REQUEST" in content:
        raise _wrong("is a request for a certificate, not the certificate Apple made of it")
    has_key, has_certificate = b"PRIVATE KEY-----" in content, b"BEGIN CERTIFICATE-" in content
    if has_certificate and not has_key:
        raise _wrong("is a certificate without its private key: export both as .p12")
    if not has_key:
        raise _wrong(f"is a PEM without a private key; {EXPECTED}")
    key = _key_of(content, passphrase)
    if has_certificate:
        try:
            certificates = x509.load_pem_x509_certificates(content)
        except ValueError as error:
            raise _wrong("holds a certificate that cannot be read") from error
        return _certificate(key, certificates, now)
    if isinstance(key, rsa.RSAPrivateKey):
        raise _wrong("holds an RSA key; Apple's .p8 holds an EC key (P-256)")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise _wrong("holds a key of another shape than Apple's .p8, EC P-256")
    return Handed(provider="apns", kind=Kind.KEY, secret=key.private_bytes(*PKCS8).decode())


def _key_of(content: bytes, passphrase: str) -> Any:
    block = _block(content, b"PRIVATE KEY-----")
    try:
        return load_pem_private_key(block, password=passphrase.encode() or None)
    except TypeError as error:
        if not passphrase:
            raise Invalid("is needed: the key is encrypted", field="passphrase") from error
        return _read(lambda: load_pem_private_key(block, password=None))
    except (ValueError, UnsupportedAlgorithm) as error:
        if b"ENCRYPTED" in block:
            raise Invalid("does not open the key", field="passphrase") from error
        raise _wrong("holds a private key that cannot be read; is the file whole?") from error


def _read(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _wrong("holds a private key that cannot be read; is the file whole?") from error


def _block(content: bytes, ends: bytes) -> bytes:
    """Give the PEM block whose label ends so, from its first dash to its last."""
    label = content.index(ends)
    start = content.rindex(b"-----BEGIN", 0, label)
    stop = content.find(ends, label + len(ends))
    return content[start : stop + len(ends)] if stop > 0 else content[start:]


def _p12(content: bytes, passphrase: str, now: datetime) -> Handed:
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(content, passphrase.encode() or None)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _not_opened(content, passphrase) from error
    if key is None or leaf is None:
        raise _wrong("holds no certificate with its private key: export both together")
    return _certificate(key, [leaf, *others], now)


def _not_opened(content: bytes, passphrase: str) -> Invalid:
    if content.startswith(b"0") and PFX_VERSION in content[:10]:
        why = "does not open the .p12" if passphrase else "is needed, or the .p12 is broken"
        return Invalid(why, field="passphrase")
    try:
        x509.load_der_x509_certificate(content)
    except ValueError:
        return _wrong(f"is no kind of key we know; {EXPECTED}")
    return _wrong("is a certificate without its private key: export both as .p12")


def _certificate(key: Any, certificates: list[x509.Certificate], now: datetime) -> Handed:
    """Give the PEM of a certificate, what vouches for it, and its key."""
    ours = _public(key)
    leaf = next((c for c in certificates if _public_of(c) == ours), None)
    if leaf is None:
        raise _wrong("holds a private key that is not its certificate's")
    if leaf.not_valid_after_utc <= now:
        raise _wrong(f"holds a certificate that expired on {leaf.not_valid_after_utc:%Y-%m-%d}")
    if leaf.not_valid_before_utc > now:
        raise _wrong(f"holds a certificate valid from {leaf.not_valid_before_utc:%Y-%m-%d} only")
    others = [c.public_bytes(Encoding.PEM).decode() for c in certificates if c is not leaf]
    first = leaf.public_bytes(Encoding.PEM).decode()
    try:
        topics_of(first)
    except ValueError as error:
        raise _wrong("holds a certificate that names no topic: it is not one for push") from error
    secret = "".join([first, *others, key.private_bytes(*PKCS8).decode()])
    return Handed(provider="apns", kind=Kind.CERTIFICATE, secret=secret)


def _public(key: Any) -> bytes:
    public: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public


def _public_of(certificate: x509.Certificate) -> bytes:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
