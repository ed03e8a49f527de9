"""What an APNs certificate says about itself: the topics it may push, and until when."""

from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

TOPICS_EXTENSION = ObjectIdentifier("1.2.840.113635.100.6.3.6")
UTF8_STRING, SEQUENCE = 0x0C, 0x30


def topics_of(pem: str) -> tuple[str, ...]:
    """Give a certificate's topics, the default one first; a ValueError where there is none.

    The default is the subject's UID (Apple, Establishing a certificate-based connection to APNs).
    A certificate for several topics lists them in an extension of Apple's.
    """
    certificate = x509.load_pem_x509_certificate(pem.encode())
    named = [str(uid.value) for uid in certificate.subject.get_attributes_for_oid(NameOID.USER_ID)]
    listed = list(_listed(certificate))
    if not (topics := tuple(dict.fromkeys(named + listed))):
        raise ValueError("the certificate names no topic")
    return topics


def _listed(certificate: x509.Certificate) -> Iterator[str]:
    for extension in certificate.extensions:
        if extension.oid == TOPICS_EXTENSION and isinstance(
            extension.value, x509.UnrecognizedExtension
        ):
            yield from _strings(extension.value.value, depth=0)


def _strings(der: bytes, depth: int) -> Iterator[str]:
    """Yield the topics: strings of the outer list, where an inner list holds their kinds."""
    at = 0
    while at + 2 <= len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size & 0x80:
            octets = size & 0x7F
            size, at = int.from_bytes(der[at : at + octets]), at + octets
        content, at = der[at : at + size], at + size
        if len(content) < size:
            return  # cut short
        if tag == SEQUENCE and depth == 0:
            yield from _strings(content, depth + 1)
        elif tag == UTF8_STRING:
            yield content.decode("utf-8", "replace")
