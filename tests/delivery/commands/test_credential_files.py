"""What operators upload: every kind of key, and every wrong file by its own name."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from crm.errors import Invalid
from delivery.commands.credential_files import Kind, read_file
from delivery.providers.apns.certificate import topics_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def pem_of(key, passphrase=None):
    way = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, way)


def certificate(key=RSA, *, topic="com.example.app", start=NOW - DAY, end=NOW + 100 * DAY):
    names = [x509.NameAttribute(NameOID.COMMON_NAME, "Apple Push Services")]
    if topic:
        names.append(x509.NameAttribute(NameOID.USER_ID, topic))
    name = x509.Name(names)
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, start, end)
    return made.sign(RSA, hashes.SHA256())


def p12(passphrase="secret", key=RSA, leaf=None, cas=None):
    way = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"push", key, leaf or certificate(), cas, way)


def account(**changes):
    said = {
        "type": "service_account",
        "project_id": "p",
        "client_email": "a@p.iam.gserviceaccount.com",
        "private_key": pem_of(RSA).decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    said |= changes
    return json.dumps({k: v for k, v in said.items() if v is not None}).encode()


PEM = certificate().public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("content", "passphrase", "provider", "kind"),
    [
        (pem_of(P256), "", "apns", Kind.KEY),
        (pem_of(P256, "open"), "open", "apns", Kind.KEY),
        (pem_of(P256), "not needed", "apns", Kind.KEY),
        (PEM + pem_of(RSA), "", "apns", Kind.CERTIFICATE),
        (pem_of(RSA, "open") + PEM, "open", "apns", Kind.CERTIFICATE),
        (p12(), "secret", "apns", Kind.CERTIFICATE),
        (p12(passphrase=""), "", "apns", Kind.CERTIFICATE),
        (account(), "", "fcm", Kind.SERVICE_ACCOUNT),
        (b"\xef\xbb\xbf" + account(), "", "fcm", Kind.SERVICE_ACCOUNT),
    ],
    ids=[
        "key",
        "key with a passphrase",
        "key with one it does not need",
        "certificate, then its key",
        "key with a passphrase, then its certificate",
        "p12",
        "p12 without a passphrase",
        "service account",
        "service account after a byte order mark",
    ],
)
def test_every_kind_of_key_is_taken(content, passphrase, provider, kind):
    handed = read_file(content, passphrase=passphrase, now=NOW)
    assert (handed.provider, handed.kind) == (provider, kind)
    assert "ENCRYPTED" not in handed.secret


def test_the_leaf_comes_first_and_its_chain_after_it():
    issuer = ec.generate_private_key(ec.SECP256R1())
    other = certificate(issuer, topic="")
    handed = read_file(p12(cas=[other]), passphrase="secret", now=NOW)
    assert topics_of(handed.secret) == ("com.example.app",)
    assert handed.secret.count("BEGIN CERTIFICATE") == 2
    mixed = other.public_bytes(Encoding.PEM) + PEM + pem_of(RSA)
    assert topics_of(read_file(mixed, now=NOW).secret) == ("com.example.app",)


BAD = {
    "empty": (b" \n", "", "file", "is empty"),
    "huge": (b"x" * 100_001, "", "file", "larger than any key"),
    "noise": (b"PK\x03\x04 a zip", "", "file", "no kind of key we know"),
    "no JSON": (b"{not json", "", "file", "is not JSON"),
    "google-services": (b'{"project_info": {}}', "", "file", "google-services.json"),
    "OAuth client": (b'{"web": {}}', "", "file", "an OAuth client"),
    "another account": (b'{"type": "authorized_user"}', "", "file", "'authorized_user'"),
    "no project": (account(project_id=None), "", "file", "has no project_id"),
    "no key": (account(private_key="x"), "", "file", "cannot be read"),
    "EC account": (account(private_key=pem_of(P256).decode()), "", "file", "no RSA key"),
    "RSA p8": (pem_of(RSA), "", "file", "Apple's .p8 holds an EC key"),
    "P-384": (pem_of(ec.generate_private_key(ec.SECP384R1())), "", "file", "EC P-256"),
    "cut": (pem_of(P256)[:60], "", "file", "is the file whole"),
    "locked": (pem_of(P256, "open"), "", "passphrase", "is needed"),
    "locked, wrong": (pem_of(P256, "open"), "shut", "passphrase", "does not open"),
    "p12 locked": (p12(), "", "passphrase", "is needed"),
    "p12 wrong": (p12(), "wrong", "passphrase", "does not open the .p12"),
    "cer": (certificate().public_bytes(Encoding.DER), "", "file", "without its private key"),
    "pem cer": (PEM, "", "file", "without its private key"),
    "csr": (b"-----BEGIN CERTIFICATE REQUEST-----", "", "file", "is a request"),
    "other": (b"-----BEGIN PUBLIC KEY-----", "", "file", "without a private key"),
    "foreign": (PEM + pem_of(P256), "", "file", "not its certificate's"),
    "ended": (p12(leaf=certificate(end=NOW)), "secret", "file", "expired on 2026-06-01"),
    "early": (p12(leaf=certificate(start=NOW + DAY)), "secret", "file", "valid from 2026-06-02"),
    "no push": (p12(leaf=certificate(topic="")), "secret", "file", "names no topic"),
}


@pytest.mark.parametrize("name", BAD)
def test_every_wrong_file_is_called_by_its_name(name):
    content, passphrase, field, words = BAD[name]
    with pytest.raises(Invalid) as refused:
        read_file(content, passphrase=passphrase, now=NOW)
    assert list(refused.value.reasons) == [field]
    assert words in str(refused.value)
