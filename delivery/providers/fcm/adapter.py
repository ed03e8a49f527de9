"""The provider's promise, kept with Google."""

import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from delivery.providers.address import read_address
from delivery.providers.contract import Credentials, Outcome, Push, Target, Verdict
from delivery.providers.fcm.account import read_account
from delivery.providers.fcm.bearer import Trouble
from delivery.providers.fcm.client import Client, Library, Result
from delivery.providers.fcm.payload import Rendered, render
from delivery.providers.fcm.verdicts import (
    DEAD,
    REJECTED,
    UNCERTAIN,
    UNSENT,
    Remedy,
    Ruling,
    judge,
    read_name,
)
from delivery.providers.wire import Answer, Policy, Stats, Unsent

HOST = "fcm.googleapis.com"
PATIENCE = 20.0
"""Seconds a batch under way gets to finish when we hang up."""

ACCEPTED = Verdict.ACCEPTED

Judged = tuple[Target, Ruling, str]


class Fcm:
    """Firebase Cloud Messaging, reached with one service account."""

    def __init__(self, credentials: Credentials, *, policy: Policy | None = None) -> None:
        self._credentials = credentials
        self._policy = policy or Policy()
        self._living: Client | Library | None = None
        self._closed = False

    async def deliver(
        self, push: Push, targets: Sequence[Target]
    ) -> AsyncGenerator[Sequence[Outcome], None]:
        """Yield outcomes as answers arrive, exactly one for each target."""
        if self._closed:
            yield _all(targets, Verdict.UNAVAILABLE, "closed")
            return
        try:
            client = self._client()
        except (ValueError, TypeError, ssl.SSLError) as error:  # what accounts and keys raise
            yield _all(targets, Verdict.MISCONFIGURED, f"credential: {error}")
            return
        rendered = render(push, now=datetime.now(UTC))
        if fault := str(rendered.refusal or "") or client.find_fault(rendered.message):
            yield _all(targets, Verdict.REJECTED, fault)
            return
        async with aclosing(_Batch(client, rendered).ask(targets)) as chunks:
            async for outcomes in chunks:
                yield outcomes

    async def close(self) -> None:
        """Let what is in flight finish, within a deadline, and hang up."""
        closed, self._closed = self._closed, True
        if self._living is not None and not closed:
            await self._living.drain(PATIENCE)

    def stats(self) -> Sequence[Stats]:
        """Give a moment of the pool; firebase-admin's own has none to show."""
        return [self._living.stats] if isinstance(self._living, Client) else []

    def _client(self) -> Client | Library:
        """Give the client; made inside the loop, on first need."""
        if self._living is None:
            credentials = self._credentials
            account = read_account(credentials)
            address = read_address(credentials.endpoint, default=HOST)
            if credentials.facts.get("transport") == "library":
                self._living = Library(account, address, credentials.ca_pem)
            else:
                self._living = Client(account, address, credentials.ca_pem, self._policy)
        return self._living


class _Batch:
    """One payload on its way to many tokens: what one answer says can explain another."""

    def __init__(self, client: Client | Library, rendered: Rendered) -> None:
        self._client = client
        self._rendered = rendered
        self._accepted = False
        self._suspects: list[Judged] = []
        self._stale: list[Judged] = []

    async def ask(self, targets: Sequence[Target]) -> AsyncGenerator[list[Outcome], None]:
        """Ask for every target, and once more for those whose access token was refused."""
        for again in (True, False):
            token = await self._client.bearer.ask()
            if isinstance(token, Trouble):
                yield _without_token(targets, token)
                break
            async with aclosing(self._client.send_many(self._rendered, targets, token)) as arriving:
                async for results in arriving:
                    if outcomes := self._outcomes(results):
                        yield outcomes
            stale, self._stale = self._stale, []
            if not stale:
                break
            self._client.bearer.reject(token)
            if not again:
                yield [_outcome(*judged) for judged in stale]
                break
            targets = [target for target, _, _ in stale]
        if self._suspects:
            yield self._resolve(REJECTED)

    def _outcomes(self, results: Sequence[tuple[Target, Result]]) -> list[Outcome]:
        outcomes = []
        for target, answer in results:
            if isinstance(answer, Answer) and answer[0] == 200 and (name := read_name(answer[2])):
                outcomes.append(Outcome(target[0], ACCEPTED, "", name))
                self._accepted = True
                continue
            ruling, words = _rule(answer, live_activity=self._rendered.live_activity)
            if ruling.remedy is Remedy.NEW_BEARER:
                self._stale.append((target, ruling, words))
            elif ruling.remedy is Remedy.COMPARE:
                self._suspects.append((target, ruling, words))
            else:
                outcomes.append(_outcome(target, ruling, words))
        if self._accepted and self._suspects:
            outcomes += self._resolve(DEAD)
        return outcomes

    def _resolve(self, ruling: Ruling) -> list[Outcome]:
        """Decide on tokens Google called invalid: dead if the payload was good for another."""
        suspects, self._suspects = self._suspects, []
        return [_outcome(target, ruling, words) for target, _, words in suspects]


def _rule(answer: Result, *, live_activity: bool) -> tuple[Ruling, str]:
    if isinstance(answer, Unsent):
        return UNSENT, answer.reason
    if not isinstance(answer, Answer):
        return UNCERTAIN, answer.reason
    status, headers, body = answer
    if status == 200:
        return UNCERTAIN, "200 without a message name"
    asked = headers.get(b"retry-after")
    ruling, complaint = judge(
        status, body, now=datetime.now(UTC), retry_after=asked, live_activity=live_activity
    )
    return ruling, complaint.words or f"HTTP {status} {body[:200].decode('utf-8', 'replace')}"


def _outcome(target: Target, ruling: Ruling, words: str) -> Outcome:
    return Outcome(
        target.token_id,
        ruling.verdict,
        words,
        retry_after=ruling.retry_after,
        proven=ruling.proven,
        wide=ruling.wide,
    )


def _all(targets: Sequence[Target], verdict: Verdict, reason: str) -> list[Outcome]:
    return [Outcome(target.token_id, verdict, reason) for target in targets]


def _without_token(targets: Sequence[Target], trouble: Trouble) -> list[Outcome]:
    """Give what becomes of pushes without an access token: nothing of the project can be sent."""
    away, wait = trouble.verdict is Verdict.UNAVAILABLE, trouble.retry_after
    return [
        Outcome(target.token_id, trouble.verdict, trouble.reason, retry_after=wait, outage=away)
        for target in targets
    ]
