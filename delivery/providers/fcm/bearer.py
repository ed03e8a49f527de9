"""The access token every message carries: fetched once, shared by all, renewed in time."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
from google.auth import credentials as google_credentials
from google.auth import jwt
from google.auth.exceptions import RefreshError, TransportError

from delivery.providers import json_text
from delivery.providers.contract import Verdict
from delivery.providers.fcm.account import ServiceAccount
from delivery.providers.retry_after import longest, read_retry_after

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"  # a constant, wherever token_uri points
LIFETIME = 3600

EARLY = 300.0
"""Seconds before its end at which a token is renewed; a failure then harms nobody yet."""

TIMEOUT = httpx.Timeout(8.0, connect=5.0)
PATIENCE = 20.0
"""Seconds a batch waits for a token altogether."""

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""How long the token endpoint rests after it failed; doubles each time."""


class Trouble(NamedTuple):
    """Why there is no access token, and so no sending for this project."""

    verdict: Verdict
    reason: str
    retry_after: float | None = None


class Grant(NamedTuple):
    """An access token and how many seconds it is good for."""

    token: str
    expires_in: float


class Bearer(google_credentials.Credentials):
    """google-auth credentials of our own: one scope, one refresh at a time, no other host.

    google-auth's service account credentials ask for a regional access boundary at another host,
    from a thread of their own, sending the token there; this class has no such step.
    """

    def __init__(
        self,
        account: ServiceAccount,
        context: ssl.SSLContext,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth has no types
        self._account = account
        self._context = context
        self._clock = clock
        self._lock = threading.Lock()
        self._good_until = 0.0
        self._failures = 0
        self._told_at = self._rests_until = 0.0
        self._trouble: Trouble | None = None

    async def ask(self) -> str | Trouble:
        """Give a token good for now, or why there is none; never an exception.

        Whoever asks has leave to send: an earlier failure, of which the breaker knows, is no answer
        any more. One that comes while others wait for the endpoint is theirs, too.
        """
        now = self._clock()
        if now < self._good_until - EARLY:
            return str(self.token)
        try:
            return await asyncio.wait_for(asyncio.to_thread(self.obtain, since=now), PATIENCE)
        except TimeoutError:
            return Trouble(Verdict.UNAVAILABLE, "token endpoint: no answer in time", FIRST_PAUSE)

    def obtain(self, *, since: float = 0.0) -> str | Trouble:
        """Give a token good for now, fetched if need be; blocks, so the loop uses `ask`.

        After a failure the endpoint has its rest, unless it is older than `since` and no token is
        left to go on with.
        """
        with self._lock:
            now = self._clock()
            if now < self._good_until - EARLY:
                return str(self.token)
            stale = self._told_at < since and now >= self._good_until
            if self._trouble is None or now >= self._rests_until or stale:
                self._fetch(now)
            if self._trouble is not None and self._clock() >= self._good_until:
                rest = max(self._rests_until - self._clock(), 0.0)
                return self._trouble._replace(retry_after=rest)
            return str(self.token)

    def reject(self, token: str) -> None:
        """Take note that Google refused this token: the next to ask gets another."""
        with self._lock:
            if token == self.token:
                self._good_until = 0.0

    def refresh(self, request: Any) -> None:  # noqa: ARG002 - google-auth's seam; our own way out
        """Renew the token if it is not fresh, as firebase-admin asks after every 401."""
        got = self.obtain()
        if isinstance(got, Trouble):
            kind = RefreshError if got.verdict is Verdict.MISCONFIGURED else TransportError
            raise kind(got.reason)

    def _fetch(self, now: float) -> None:
        got = fetch_grant(self._account, self._context)
        self._told_at = self._clock()
        if isinstance(got, Grant):
            self.token = got.token
            self._good_until = now + got.expires_in
            self.expiry = _naive_utc() + timedelta(seconds=got.expires_in)
            self._trouble, self._failures = None, 0
            return
        pause = min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 16)
        self._rests_until = now + (longest(pause, got.retry_after) or pause)
        self._trouble = got


def fetch_grant(account: ServiceAccount, context: ssl.SSLContext) -> Grant | Trouble:
    """Ask the token endpoint once (RFC 7523), and give what it granted or why it did not."""
    form = {"grant_type": GRANT, "assertion": assertion(account, issued_at=int(time.time()))}
    try:
        with httpx.Client(verify=context, timeout=TIMEOUT, trust_env=False) as client:
            answer = client.post(account.token_uri, data=form)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Trouble(Verdict.UNAVAILABLE, f"token endpoint: {error or type(error).__name__}")
    return read_grant(answer.status_code, answer.content, answer.headers.get("retry-after"))


def read_grant(status: int, body: bytes, retry_after: str | None = None) -> Grant | Trouble:
    """Give what a token endpoint's answer means."""
    said = json_text.load_object(body)
    token, lives = said.get("access_token"), said.get("expires_in")
    if status == 200 and isinstance(token, str) and token:
        return Grant(token, float(lives) if isinstance(lives, int | float) else LIFETIME)
    words = " ".join(str(said[key]) for key in ("error", "error_description") if said.get(key))
    reason = f"token endpoint: {status} {words}".rstrip()
    if 400 <= status < 500 and status not in {408, 429}:
        return Trouble(Verdict.MISCONFIGURED, reason)
    asked = read_retry_after(retry_after, now=datetime.now(UTC))
    return Trouble(Verdict.UNAVAILABLE, reason, asked)


def assertion(account: ServiceAccount, *, issued_at: int) -> str:
    """Give the signed claim a token is exchanged for; it asks for messaging and nothing else."""
    claims = {
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": AUDIENCE,
        "iat": issued_at,
        "exp": issued_at + LIFETIME,
    }
    signed: bytes = jwt.encode(account.signer, claims)  # type: ignore[no-untyped-call]  # as above
    return signed.decode()


def _naive_utc() -> datetime:
    """Give the present as google-auth writes it."""
    return datetime.now(UTC).replace(tzinfo=None)
