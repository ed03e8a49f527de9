"""Who is pushing: provider tokens and certificates, and what a connection is bound to.

Apple, "Establishing a token-based connection to APNs": a token lives an hour, is renewed at most
every twenty minutes, and a connection keeps to the team and key of its first push.
"""

from dataclasses import dataclass, field

from simulator.apns.certificate import PushCertificate
from simulator.apns.reasons import Refused
from simulator.identity.apns_keys import ApnsKey
from simulator.identity.jose import BadToken, take_apart, verify_es256
from simulator.settings import ApnsSettings

LIFETIME = 3600
TOLERATED_SKEW = 300
REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Claims:
    """A provider token whose signature is right."""

    key: ApnsKey
    issued_at: float


@dataclass(slots=True)
class Binding:
    """What one connection has committed itself to."""

    certificate: PushCertificate | None = None
    key: ApnsKey | None = None
    bearer: str = ""
    issued_at: float = 0.0
    trusted: bool = False  # a push with a valid token has been seen
    throttled: bool = False  # back to one stream after a rejection
    bad_tokens: int = 0


@dataclass(slots=True)
class Keyring:
    """The keys Apple knows, and the provider tokens verified lately."""

    keys: dict[str, ApnsKey] = field(default_factory=dict)
    verified: dict[str, Claims] = field(default_factory=dict)

    def add(self, key: ApnsKey) -> None:
        """Register a key."""
        self.keys[key.key_id] = key
        self.verified.clear()

    def revoke(self, key_id: str) -> bool:
        """Forget a key; tokens signed with it are worthless from now on."""
        self.verified.clear()
        return self.keys.pop(key_id, None) is not None

    def verify(self, bearer: str) -> Claims:
        """Return the claims of a provider token, or refuse it."""
        known = self.verified.get(bearer)
        if known is None:
            known = self._check(bearer)
            if len(self.verified) >= REMEMBERED:
                self.verified.clear()
            self.verified[bearer] = known
        return known

    def _check(self, bearer: str) -> Claims:
        try:
            token = take_apart(bearer)
            key = self.keys.get(str(token.header.get("kid")))
            if key is None or token.header.get("alg") != "ES256":
                raise Refused("InvalidProviderToken")
            verify_es256(token, key.public)
        except BadToken as error:
            raise Refused("InvalidProviderToken") from error
        issued_at = token.claims.get("iat")
        if token.claims.get("iss") != key.team_id or not isinstance(issued_at, int | float):
            raise Refused("InvalidProviderToken")
        return Claims(key, float(issued_at))


def admit_token(
    binding: Binding, keyring: Keyring, authorization: str | None, now: float, rules: ApnsSettings
) -> None:
    """Bind the connection to this provider token, or refuse the push."""
    if authorization is None:
        raise Refused("MissingProviderToken")
    word, _, bearer = authorization.partition(" ")
    if word != "bearer":  # lower case, as documented
        raise Refused("InvalidProviderToken")
    claims = keyring.verify(bearer)
    if now - claims.issued_at > LIFETIME:
        raise Refused("ExpiredProviderToken")
    if claims.issued_at - now > TOLERATED_SKEW:
        raise Refused("InvalidProviderToken")
    if binding.key is not None:
        _stay_bound(binding, claims, bearer, rules)
    binding.key = binding.key or claims.key  # topics stay those known at the first push
    binding.bearer, binding.issued_at = bearer, claims.issued_at


def _stay_bound(binding: Binding, claims: Claims, bearer: str, rules: ApnsSettings) -> None:
    assert binding.key is not None
    if claims.key.team_id != binding.key.team_id:
        raise Refused("InvalidProviderToken")
    if claims.key.key_id != binding.key.key_id:
        raise Refused("UnrelatedKeyIdInToken")
    # measured between the times of minting, so that one token shared by many connections never errs
    soon = abs(claims.issued_at - binding.issued_at) < rules.token_update_interval_s
    if bearer != binding.bearer and soon:
        raise Refused("TooManyProviderTokenUpdates")


def check_environment(binding: Binding, environment: str) -> None:
    """Refuse a key or certificate made for the other environment."""
    if environment == "any":
        return
    if binding.certificate is not None:
        if environment not in binding.certificate.environments:
            raise Refused("BadCertificateEnvironment")
    elif binding.key is not None and binding.key.environment not in {"both", environment}:
        raise Refused("BadEnvironmentKeyIdInToken")
