"""Apple's side of token authentication: the keys there are, and what each is good for."""

import secrets
import string
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simulator.settings import Unfit

ALPHABET = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class ApnsKey:
    """One authentication key as the developer portal would know it."""

    key_id: str
    team_id: str
    public: ec.EllipticCurvePublicKey
    topics: frozenset[str] | None = None  # bundle ids; None means all of the team's
    environment: str = "both"  # both | production | sandbox


def portal_id() -> str:
    """Return ten characters, as Apple makes key ids and team ids."""
    return "".join(secrets.choice(ALPHABET) for _ in range(10))


def new_private_key() -> bytes:
    """Return the content of a fresh .p8 file."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_of(pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return the public key of a .p8 file or of a public-key PEM."""
    try:
        if b"PRIVATE KEY" in pem:
            private = serialization.load_pem_private_key(pem, None)
            public = private.public_key()
        else:
            public = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unfit(f"not a key: {error}") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise Unfit("an APNs key is an elliptic-curve key on P-256")
    return public
