"""The whole simulator: two providers, a control port, and the facts others need to use them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from simulator.apns.service import Apns
from simulator.control.app import control_app
from simulator.fcm.service import TOKEN_PATH, Fcm
from simulator.identity.files import write
from simulator.identity.material import PROJECT, TOPIC, Material, material
from simulator.identity.service_accounts import service_account
from simulator.phones.book import PhoneBook
from simulator.samples import plant_samples
from simulator.settings import ApnsSettings, FcmSettings
from simulator.tls import apns_tls, fcm_tls
from simulator.tokens import TokenBook
from simulator.wire.listener import Listener
from simulator.world import World

GRACE = 0.5


@dataclass(frozen=True)
class Addresses:
    """Where to listen, and the name under which others reach us."""

    host: str = "127.0.0.1"
    advertise: str = "127.0.0.1"
    apns_port: int = 0
    fcm_port: int = 0
    control_port: int = 0


@dataclass
class Simulator:
    """One running simulator."""

    directory: Path
    addresses: Addresses
    world: World = field(default_factory=World)
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.apns, self.fcm = Apns(self.world), Fcm(self.world)
        self.phones = PhoneBook(self.world.tokens)
        self.world.listeners.append(self.phones.land)
        self.listeners = {"apns": Listener(self.apns), "fcm": Listener(self.fcm)}
        self.runner: web.AppRunner | None = None

    @property
    def facts_file(self) -> Path:
        """Where the facts are written once everything listens."""
        return self.directory / "facts.json"

    async def start(self) -> None:
        """Listen on all three ports, then write the facts."""
        self.facts_file.unlink(missing_ok=True)
        where = self.addresses
        own = material(self.directory, (where.advertise,))
        self.apns.keyring.add(own.key)
        tls = apns_tls(own.server_file, own.ca_file)
        apns_port = await self.listeners["apns"].open(where.host, where.apns_port, tls)
        tls = fcm_tls(own.server_file)
        fcm_port = await self.listeners["fcm"].open(where.host, where.fcm_port, tls)
        token_uri = f"https://{where.advertise}:{fcm_port}{TOKEN_PATH}"
        account = service_account(own.account_file, PROJECT, token_uri)
        self.fcm.office.register(account)
        self.facts = self._facts(own, apns_port, fcm_port)
        self.facts["control_url"] = await self._open_control()
        self.facts["phones_url"] = f"{self.facts['control_url']}/"
        self.plant()
        await self.phones.start()
        write(self.facts_file, json.dumps(self.facts, indent=2).encode())

    async def stop(self) -> None:
        """Close everything, quickly."""
        self.facts_file.unlink(missing_ok=True)
        for listener in self.listeners.values():
            listener.close()
        await self.phones.stop()
        if self.runner is not None:
            await self.runner.cleanup()

    def plant(self) -> None:
        """Know exactly the sample tokens."""
        self.world.tokens.by_value.clear()
        seed = self.facts["apns"]["team_id"]
        self.facts["tokens"] = plant_samples(self.world.tokens, seed)

    async def reset(self) -> None:
        """Return to the state right after the start, connections left alone."""
        self.world.script.clear()
        self.world.ledger.clear()
        self.world.apns, self.world.fcm = ApnsSettings(), FcmSettings()
        self.fcm.meter.buckets.clear()
        await self.phones.clear()
        self.plant()
        for listener in self.listeners.values():
            listener.traffic.reset()
            listener.apply_limits()

    async def _open_control(self) -> str:
        where = self.addresses
        self.runner = web.AppRunner(
            control_app(self), access_log=None, shutdown_timeout=GRACE, handle_signals=False
        )
        await self.runner.setup()
        await web.TCPSite(self.runner, where.host, where.control_port).start()
        return f"http://{where.advertise}:{self.runner.addresses[0][1]}"

    def _facts(self, own: Material, apns_port: int, fcm_port: int) -> dict[str, Any]:
        host = self.addresses.advertise
        return {
            "apns_url": f"https://{host}:{apns_port}",
            "fcm_url": f"https://{host}:{fcm_port}",
            "token_uri": f"https://{host}:{fcm_port}{TOKEN_PATH}",
            "ca_file": str(own.ca_file),
            "apns": {
                "key_file": str(own.key_file),
                "key_id": own.key.key_id,
                "team_id": own.key.team_id,
                "topic": TOPIC,
                "certificate_file": str(own.certificate_file),
            },
            "fcm": {"service_account_file": str(own.account_file), "project_id": PROJECT},
        }

    @property
    def book(self) -> TokenBook:
        """The device tokens known."""
        return self.world.tokens
