"""Where a test app's pushes may go: to the simulator, and nowhere else (docs/adr/0022)."""

from collections.abc import AsyncIterator, Collection, Sequence
from urllib.parse import urlsplit

from delivery.providers import json_text
from delivery.providers.address import read_address
from delivery.providers.contract import Credentials, Outcome, Push, Target, Verdict

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def stray_address(credentials: Credentials, *, simulators: Collection[str]) -> str:
    """Say which address of a credential is not the simulator's; '' where all of them are.

    An empty endpoint is the provider's own. A service account also names whom it asks for tokens.
    """
    hosts = (LOOPBACK | {host_of(url) for url in simulators}) - {""}  # a setting may be empty
    for url in _addresses(credentials):
        if host_of(url) not in hosts:
            return url or "the provider's own address"
    return ""


def host_of(url: str) -> str:
    """Give the host an address names, '' for what names none."""
    try:
        return read_address(url, default="").host
    except ValueError:
        return ""


def _addresses(credentials: Credentials) -> list[str]:
    if credentials.kind != "service_account":
        return [credentials.endpoint]
    said = json_text.load_object(credentials.secret.encode())
    parts = urlsplit(str(said.get("token_uri", "")))
    return [credentials.endpoint, f"{parts.scheme}://{parts.netloc}"]


class Refused:
    """What stands in for a provider that must not be asked: every push is our own fault."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def deliver(
        self,
        push: Push,  # noqa: ARG002 - the promise's signature
        targets: Sequence[Target],
    ) -> AsyncIterator[Sequence[Outcome]]:
        """Yield the same answer for each target; none has left."""
        yield [Outcome(t.token_id, Verdict.MISCONFIGURED, self._reason) for t in targets]

    async def close(self) -> None:
        """Hang up where nobody was called."""
