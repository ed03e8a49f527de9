"""How Apple knows us, read from a stored credential."""

from dataclasses import dataclass

from delivery.providers.apns.certificate import topics_of
from delivery.providers.apns.token import SigningKey
from delivery.providers.contract import Credentials


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """A signing key, or the PEM of a certificate and its key; and the topic where none is named."""

    topic: str
    key: SigningKey | None = None
    key_pem: str = ""
    certificate_pem: str = ""


def read_access(credentials: Credentials) -> Access:
    """Give what a credential holds, or a ValueError saying what is wrong with it."""
    facts, secret = credentials.facts, credentials.secret
    topic = facts.get("topic", "")
    if "BEGIN CERTIFICATE" in secret:
        return Access(topic=topic or topics_of(secret)[0], certificate_pem=secret)
    key = SigningKey(secret, key_id=facts.get("key_id", ""), team_id=facts.get("team_id", ""))
    return Access(topic=topic, key=key, key_pem=secret)
