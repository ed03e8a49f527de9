"""Google's token endpoint: a signed assertion in, a bearer out."""

import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from simulator.identity.jose import BadToken, Jwt, take_apart, verify_rs256
from simulator.identity.service_accounts import ServiceAccount
from simulator.wire.messages import Answer

AUDIENCE = "https://oauth2.googleapis.com/token"  # a constant, wherever the endpoint really is
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = {
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/cloud-platform",
}
HOUR = 3600
SKEW = 300
REMEMBERED = 10_000


class Denied(Exception):
    """The token endpoint says no."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


@dataclass(frozen=True, slots=True)
class Bearer:
    """An access token and what it is good for."""

    account: ServiceAccount
    expires_at: float
    may_send: bool


@dataclass(slots=True)
class TokenOffice:
    """Who may ask, and the bearers handed out."""

    accounts: dict[str, ServiceAccount] = field(default_factory=dict)  # by client_email
    bearers: dict[str, Bearer] = field(default_factory=dict)

    def register(self, account: ServiceAccount) -> None:
        """Let this account ask for bearers."""
        self.accounts[account.client_email] = account

    def projects(self) -> Iterable[str]:
        """Return the projects there are."""
        return {account.project_id for account in self.accounts.values()}

    def exchange(self, form: bytes, now: float, lifetime: int) -> Answer:
        """Return a bearer for a good assertion."""
        fields = dict(parse_qsl(form.decode("latin-1")))
        if fields.get("grant_type") != GRANT:
            raise Denied("unsupported_grant_type", "Invalid grant_type")
        account, scopes = self._verified(fields.get("assertion", ""), now)
        value = f"ya29.{secrets.token_urlsafe(48)}"
        self._remember(value, Bearer(account, now + lifetime, bool(scopes & SCOPES)), now)
        document = {"access_token": value, "expires_in": lifetime, "token_type": "Bearer"}
        return Answer(200, [("content-type", "application/json")], json.dumps(document).encode())

    def bearer(self, authorization: str | None, now: float) -> Bearer | None:
        """Return the living bearer of a request, if it carries one."""
        word, _, value = (authorization or "").partition(" ")
        bearer = self.bearers.get(value) if word.lower() == "bearer" else None
        return bearer if bearer is not None and bearer.expires_at > now else None

    def expire_all(self) -> int:
        """End the life of every bearer now and return how many there were."""
        count = len(self.bearers)
        self.bearers.clear()
        return count

    def _remember(self, value: str, bearer: Bearer, now: float) -> None:
        if len(self.bearers) >= REMEMBERED:
            self.bearers = {k: b for k, b in self.bearers.items() if b.expires_at > now}
        self.bearers[value] = bearer

    def _verified(self, assertion: str, now: float) -> tuple[ServiceAccount, set[str]]:
        try:
            token = take_apart(assertion)
            account = self.accounts.get(str(token.claims.get("iss")))
            if account is None:
                raise Denied("invalid_grant", "Invalid grant: account not found")
            if token.header.get("alg") != "RS256" or token.header.get("kid") != account.key_id:
                raise Denied("invalid_grant", "Invalid JWT Signature.")
            verify_rs256(token, account.public)
        except BadToken as error:
            raise Denied("invalid_grant", "Invalid JWT Signature.") from error
        _check_times(token, now)
        if token.claims.get("aud") != AUDIENCE:
            raise Denied("invalid_grant", "Invalid JWT: Failed audience check.")
        scopes = set(str(token.claims.get("scope", "")).split())
        if not scopes:
            raise Denied("invalid_scope", "Empty or missing scope not allowed.")
        return account, scopes


def _check_times(token: Jwt, now: float) -> None:
    issued_at, expires_at = token.claims.get("iat"), token.claims.get("exp")
    if not isinstance(issued_at, int | float) or not isinstance(expires_at, int | float):
        raise Denied("invalid_grant", "Invalid JWT: iat and exp are required.")
    if expires_at <= now - SKEW or issued_at > now + SKEW or expires_at - issued_at > HOUR:
        text = "Invalid JWT: Token must be short-lived (60 minutes) and in a reasonable timeframe."
        raise Denied("invalid_grant", text)


def denial(denied: Denied) -> Answer:
    """Return the answer to a refused exchange."""
    document = {"error": denied.error, "error_description": denied.description}
    headers = [("content-type", "application/json")]
    return Answer(denied.status, headers, json.dumps(document).encode())


def clock(offset: int) -> float:
    """Return the time by the server's clock."""
    return time.time() + offset
