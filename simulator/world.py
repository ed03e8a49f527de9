"""What both providers share: script, ledger, tokens, and who hears of accepted pushes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.records import Ledger
from simulator.script import Script
from simulator.settings import ApnsSettings, FcmSettings
from simulator.tokens import TokenBook


@dataclass(frozen=True, slots=True)
class Landing:
    """A push a provider has accepted, on its way to whatever device holds the token."""

    provider: str
    token: str
    payload: dict[str, Any]  # of APNs; on Google's side the whole message, names in snake case
    collapse_id: str | None = None


@dataclass(slots=True)
class World:
    """The state of one simulator."""

    script: Script = field(default_factory=Script)
    ledger: Ledger = field(default_factory=Ledger)
    tokens: TokenBook = field(default_factory=TokenBook)
    apns: ApnsSettings = field(default_factory=ApnsSettings)
    fcm: FcmSettings = field(default_factory=FcmSettings)
    listeners: list[Callable[[Landing], None]] = field(default_factory=list)

    def land(self, landing: Landing) -> None:
        """Tell everyone who holds phones."""
        for listener in self.listeners:
            listener(landing)
