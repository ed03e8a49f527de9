"""The provider's promise, kept with Apple."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from delivery.providers.address import read_address
from delivery.providers.apns.access import Access, read_access
from delivery.providers.apns.client import Client, Library, Request, Result, build_requests
from delivery.providers.apns.payload import render
from delivery.providers.apns.token import ProviderToken
from delivery.providers.apns.verdicts import UNCERTAIN, Remedy, Ruling, judge, judge_unsent
from delivery.providers.contract import Credentials, Environment, Outcome, Push, Target, Verdict
from delivery.providers.retry_after import longest, read_retry_after
from delivery.providers.wire import Policy, Stats, Unsent
from delivery.trust import shared_trust, trust

HOSTS = {
    Environment.PRODUCTION: "api.push.apple.com",
    Environment.SANDBOX: "api.sandbox.push.apple.com",
}

PATIENCE = 20.0
"""Seconds a batch under way gets to finish when we hang up."""

ACCEPTED = Verdict.ACCEPTED


class Apns:
    """Apple's push service, reached with one credential; connections apart for each environment."""

    def __init__(self, credentials: Credentials, *, policy: Policy | None = None) -> None:
        self._credentials = credentials
        self._policy = policy or Policy()
        self._access: Access | None = None
        self._token: ProviderToken | None = None
        self._clients: dict[Environment, Client | Library] = {}
        self._closed = False

    async def deliver(
        self, push: Push, targets: Sequence[Target]
    ) -> AsyncGenerator[Sequence[Outcome], None]:
        """Yield outcomes as answers arrive, exactly one for each target."""
        if self._closed:
            yield _all(targets, Verdict.UNAVAILABLE, "closed")
            return
        try:
            client = self._client(push.environment)
        except (ValueError, TypeError, ssl.SSLError) as error:  # what keys and certificates raise
            yield _all(targets, Verdict.MISCONFIGURED, f"credential: {error}")
            return
        rendered = render(push, default_topic=client.topic)
        if rendered.refusal is not None:
            yield _all(targets, Verdict.REJECTED, str(rendered.refusal))
            return
        named = [(target, push.push_id(target.token_id)) for target in targets]
        requests = build_requests(rendered, named)
        async with aclosing(self._ask(client, requests)) as chunks:
            async for outcomes in chunks:
                yield outcomes

    async def close(self) -> None:
        """Let what is in flight finish, within a deadline, and hang up."""
        self._closed = True
        await asyncio.gather(*(client.drain(PATIENCE) for client in self._clients.values()))

    def stats(self) -> Sequence[Stats]:
        """Give a moment of the pool of each environment; aioapns' own has none to show."""
        return [c.pool.wire.stats for c in self._clients.values() if isinstance(c, Client)]

    async def _ask(
        self, client: Client | Library, requests: Sequence[Request]
    ) -> AsyncGenerator[list[Outcome], None]:
        """Ask once, and those a remedy may help once more."""
        for again in (True, False):
            generation, token = client.generation, self._token.current() if self._token else ""
            curable: list[tuple[Result, Ruling]] = []
            async with aclosing(client.send_many(requests)) as arriving:
                async for results in arriving:
                    if outcomes := self._outcomes(results, curable):
                        yield outcomes
            if not curable:
                return
            remedies = {ruling.remedy for _, ruling in curable}
            if not again or not self._apply(remedies, client, generation, token):
                yield [_outcome(result, ruling) for result, ruling in curable]
                return
            requests = [result.request for result, _ in curable]

    def _outcomes(
        self, results: Iterable[Result], curable: list[tuple[Result, Ruling]]
    ) -> list[Outcome]:
        """Give the outcomes that stand; what a remedy may change goes to `curable`."""
        outcomes = []
        for result in results:
            if result.status == "200":
                outcomes.append(
                    Outcome(
                        result.request.target.token_id,
                        ACCEPTED,
                        "",
                        _reference(result) if result.headers else "",
                    )
                )
                continue
            ruling = _rule(result)
            if ruling.remedy in {Remedy.SIGN_ANEW, Remedy.RECONNECT}:
                curable.append((result, ruling))
                continue
            if ruling.remedy is Remedy.STAY and self._token is not None:
                self._token.hold()
            outcomes.append(_outcome(result, ruling))
        return outcomes

    def _apply(
        self, remedies: set[Remedy | None], client: Client | Library, generation: int, token: str
    ) -> bool:
        """Do what may help, and say whether asking again makes sense.

        A new token goes with new connections: on a living one Apple would count the change.
        """
        if Remedy.SIGN_ANEW in remedies and not (self._token and self._token.renew(token)):
            return False
        client.reconnect(generation)
        return True

    def _client(self, environment: Environment) -> Client | Library:
        """Give the client of an environment; made inside the loop, on first need."""
        if client := self._clients.get(environment):
            return client
        credentials = self._credentials
        if self._access is None:
            self._access = read_access(credentials)
            self._token = ProviderToken(self._access.key) if self._access.key else None
        address = read_address(credentials.endpoint, default=HOSTS[environment])
        if credentials.facts.get("transport") == "library":
            client = Library(self._access, address, trust(credentials.ca_pem))
        else:
            # aioapns has a context show the certificate, where the credential is one
            believing = shared_trust if self._access.key else trust
            context = believing(credentials.ca_pem)
            client = Client(
                self._access,
                address,
                context,
                token=self._token,
                policy=self._policy,
                want_headers=environment is Environment.SANDBOX,  # there Apple adds a unique id
            )
        self._clients[environment] = client
        return client


def _all(targets: Sequence[Target], verdict: Verdict, reason: str) -> list[Outcome]:
    return [Outcome(target.token_id, verdict, reason) for target in targets]


def _rule(result: Result) -> Ruling:
    if isinstance(result.failure, Unsent):
        return judge_unsent(result.failure.reason)
    if result.failure is not None:
        return UNCERTAIN
    return judge(int(result.status), result.reason)


def _outcome(result: Result, ruling: Ruling) -> Outcome:
    failed = result.failure
    asked = read_retry_after(result.headers.get(b"retry-after"), now=datetime.now(UTC))
    waits = ruling.verdict in {Verdict.THROTTLED, Verdict.UNAVAILABLE}
    dead = ruling.verdict is Verdict.UNREGISTERED
    return Outcome(
        result.request.target.token_id,
        ruling.verdict,
        result.description or f"HTTP {result.status}" if failed is None else failed.reason,
        retry_after=longest(ruling.retry_after, asked) if waits else None,
        died_at=_moment(result.timestamp) if dead else None,
        proven=ruling.proven,
        wide=ruling.wide,
        elsewhere=ruling.elsewhere,
    )


def _reference(result: Result) -> str:
    """Give Apple's key to its delivery log where it gave one; else the push goes by our id."""
    return result.headers.get(b"apns-unique-id", b"").decode("ascii", "replace")


def _moment(milliseconds: int | None) -> datetime | None:
    try:
        return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
