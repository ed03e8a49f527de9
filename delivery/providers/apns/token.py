"""The provider token: one signed claim shared by every connection of a key."""

import base64
import logging
import time
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from delivery.providers import json_text

log = logging.getLogger(__name__)

LIFETIME = 45 * 60
"""Seconds after which a token is signed anew; Apple refuses it after 60 minutes."""

GRID = 15 * 60
"""Issue times are rounded down to this, so that workers started apart sign the same token.

With it two tokens of one worker are never less than 30 minutes apart; Apple wants 20.
"""

QUIET = 20 * 60
"""Seconds during which a token stays after Apple complained of too many."""


class SigningKey:
    """An Apple .p8 key and whose it is; a ValueError where the text is no such key."""

    def __init__(self, pem: str, *, key_id: str, team_id: str) -> None:
        key = load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.key_size != 256:
            raise ValueError("the .p8 key is not a P-256 private key")
        if not key_id or not team_id:
            raise ValueError("the key needs a key id and a team id")
        self._key = key
        self.key_id = key_id
        self.team_id = team_id

    def sign(self, issued_at: int) -> str:
        """Give the JWT (RFC 7519, ES256) Apple wants, the same one for the same moment."""
        head = _encode(json_text.dump({"alg": "ES256", "kid": self.key_id}))
        claims = _encode(json_text.dump({"iss": self.team_id, "iat": issued_at}))
        r, s = decode_dss_signature(self._signature(f"{head}.{claims}".encode()))
        return f"{head}.{claims}.{_encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def _signature(self, text: bytes) -> bytes:
        try:  # RFC 6979: several workers then send the very same bytes
            return self._key.sign(text, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        except UnsupportedAlgorithm:  # an OpenSSL before 3.2; any valid signature will do
            return self._key.sign(text, ec.ECDSA(hashes.SHA256()))


class ProviderToken:
    """The token all connections of one key carry, renewed in time.

    Used from one thread, the loop's.
    """

    def __init__(self, key: SigningKey, *, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock
        self._issued_at = 0
        self._text = ""
        self._held_at: float | None = None

    def current(self) -> str:
        """Give the token to send now."""
        now = self._clock()
        stale = not 0 <= now - self._issued_at < LIFETIME
        if not self._text or (stale and not self._is_held(now)):
            self._sign(int(now) // GRID * GRID)
        return self._text

    def renew(self, refused: str) -> bool:
        """Sign anew because Apple called this token expired, and say whether that gave another.

        The issue time is the clock's own then: rounding down may be what made it too old.
        """
        now = int(self._clock())
        if refused == self._text and not self._is_held(now) and now != self._issued_at:
            self._sign(now)
        return self._text != refused

    def hold(self) -> None:
        """Keep the present token for a while, for Apple has seen too many; say so once."""
        now = self._clock()
        if not self._is_held(now):
            log.warning("key %s: Apple has seen too many provider tokens of it", self._key.key_id)
        self._held_at = now

    def _is_held(self, now: float) -> bool:
        # a clock set back since lets go: until it came round, a token from the future would be kept
        return self._held_at is not None and 0 <= now - self._held_at < QUIET

    def _sign(self, issued_at: int) -> None:
        self._issued_at = issued_at
        self._text = self._key.sign(issued_at)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
