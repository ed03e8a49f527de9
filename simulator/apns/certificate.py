"""A push certificate: the topics and environments it was made for."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from simulator.identity.authority import DEVELOPMENT, PRODUCTION, TOPICS
from simulator.identity.der import strings


@dataclass(frozen=True, slots=True)
class PushCertificate:
    """What Apple would read in a client certificate."""

    default_topic: str
    topics: frozenset[str]
    environments: frozenset[str]


def read_certificate(der: bytes) -> PushCertificate:
    """Return what the certificate allows; its signature was checked by TLS."""
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    default = str(names[0].value) if names else ""
    extensions = {extension.oid: extension.value for extension in certificate.extensions}
    listed: set[str] = set()
    if isinstance(found := extensions.get(TOPICS), x509.UnrecognizedExtension):
        listed = set(strings(found.value))
    environments = {
        name
        for oid, name in ((DEVELOPMENT, "sandbox"), (PRODUCTION, "production"))
        if oid in extensions
    }
    return PushCertificate(
        default_topic=default,
        topics=frozenset(listed | {default} - {""}),
        environments=frozenset(environments),
    )
