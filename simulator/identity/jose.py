"""Signed tokens as the two vendors verify them; nothing is believed before its signature."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


class BadToken(ValueError):
    """The token is malformed or its signature is wrong."""


@dataclass(frozen=True, slots=True)
class Jwt:
    """A token taken apart, not verified yet."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def take_apart(token: str) -> Jwt:
    """Return the parts of a compact JWS whose header and claims are objects."""
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken("a token has three parts")
    try:
        header, claims = json.loads(_decode(parts[0])), json.loads(_decode(parts[1]))
        signature = _decode(parts[2])
    except ValueError as error:
        raise BadToken(str(error)) from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise BadToken("header and claims are objects")
    return Jwt(header, claims, f"{parts[0]}.{parts[1]}".encode(), signature)


def verify_es256(token: Jwt, key: ec.EllipticCurvePublicKey) -> None:
    """Check an ES256 signature, raw or in DER: Apple takes both, its own sample carries DER."""
    signature = token.signature
    if len(signature) == 64:
        signature = encode_dss_signature(
            int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        )
    try:
        key.verify(signature, token.signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise BadToken("wrong signature") from error


def verify_rs256(token: Jwt, key: rsa.RSAPublicKey) -> None:
    """Check an RS256 signature."""
    try:
        key.verify(token.signature, token.signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise BadToken("wrong signature") from error


def _decode(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64url: {error}") from error
