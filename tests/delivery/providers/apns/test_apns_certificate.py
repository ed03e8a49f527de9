from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from delivery.providers.apns.certificate import TOPICS_EXTENSION, topics_of

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(uid: str | None = None, extension: bytes | None = None) -> str:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, "Apple Push Services")]
    names += [x509.NameAttribute(NameOID.USER_ID, uid)] if uid else []
    name = x509.Name(names)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name, name, KEY.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    if extension is not None:
        value = x509.UnrecognizedExtension(TOPICS_EXTENSION, extension)
        builder = builder.add_extension(value, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    head = bytes((size,)) if size < 128 else b"\x82" + size.to_bytes(2)
    return bytes((tag,)) + head + content


def listing(*topics: str) -> bytes:
    """Topics as Apple lists them: each followed by the kinds of service it is for."""
    kinds = der(0x30, der(0x0C, b"app") + der(0x0C, b"voip"))
    return der(0x30, b"".join(der(0x0C, topic.encode()) + kinds for topic in topics))


def test_the_default_topic_is_the_subjects_uid() -> None:
    assert topics_of(certificate("com.example.app")) == ("com.example.app",)


def test_listed_topics_follow_the_default_without_their_kinds() -> None:
    listed = listing("com.example.app", "com.example.app.voip", "com.example.app." + "x" * 150)
    assert topics_of(certificate("com.example.app", listed)) == (
        "com.example.app",
        "com.example.app.voip",
        "com.example.app." + "x" * 150,
    )


def test_a_certificate_without_uid_has_the_listed_topics() -> None:
    assert topics_of(certificate(None, listing("com.example.two"))) == ("com.example.two",)


@pytest.mark.parametrize("extension", [None, b"", b"\x30\x81", b"\x30\x05\x0c\x7fab"])
def test_a_certificate_without_topics_is_refused(extension: bytes | None) -> None:
    with pytest.raises(ValueError, match="no topic"):
        topics_of(certificate(None, extension))


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(ValueError):
        topics_of("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----")
