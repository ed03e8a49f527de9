"""Plain clients of the simulator, which owe nothing to the gateway."""

import json
import ssl
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives import serialization

from simulator import launch

AUDIENCE = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ALERT = {"aps": {"alert": {"title": "Hello", "body": "World"}}}
MISSING = object()


@cache
def loaded(pem: str) -> Any:
    """Return a private key, read once: checking an RSA key takes longer than a whole test."""
    return serialization.load_pem_private_key(pem.encode(), None)


@dataclass
class Apple:
    """A client of the APNs side: one connection, a provider token, sensible headers."""

    facts: dict[str, Any]
    client: httpx.Client
    clock: float = field(default_factory=time.time)
    bearer: str = ""

    def __post_init__(self) -> None:
        self.bearer = self.bearer or self.mint()

    def mint(self, **changes: Any) -> str:
        apns = self.facts["apns"]
        claims = {"iss": changes.pop("team_id", apns["team_id"])}
        claims |= {"iat": changes.pop("issued_at", int(self.clock))}
        key = changes.pop("key", None) or Path(apns["key_file"]).read_text()
        kid = changes.pop("key_id", apns["key_id"])
        assert not changes
        return jwt.encode(claims, loaded(key), algorithm="ES256", headers={"kid": kid})

    def push(self, token: str | None = None, body: Any = ALERT, **headers: Any) -> httpx.Response:
        """Send one push; a header given as MISSING is left out."""
        usual: dict[str, Any] = {
            "authorization": f"bearer {self.bearer}",
            "apns-topic": self.facts["apns"]["topic"],
            "apns-push-type": "alert",
        }
        usual |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in usual.items() if value is not MISSING}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/3/device/{self.facts['tokens']['apns_ok'] if token is None else token}"
        return self.client.post(self.facts["apns_url"] + path, headers=sent, content=content)

    def reason(self, *arguments: Any, **headers: Any) -> str:
        """Send one push and return `status reason`."""
        answer = self.push(*arguments, **headers)
        return f"{answer.status_code} {answer.json()['reason'] if answer.content else ''}".strip()


@dataclass
class Google:
    """A client of the FCM side: a service account, a bearer, sensible messages."""

    facts: dict[str, Any]
    client: httpx.Client
    cached: str = ""

    @property
    def account(self) -> dict[str, Any]:
        return json.loads(Path(self.facts["fcm"]["service_account_file"]).read_text())

    def assertion(self, **changes: Any) -> str:
        account = changes.pop("account", None) or self.account
        now = int(time.time())
        claims = {"iss": account["client_email"], "iat": now, "exp": now + 3600}
        claims |= {"aud": AUDIENCE, "scope": SCOPE} | changes.pop("claims", {})
        key = changes.pop("key", account["private_key"])
        kid = changes.pop("kid", account["private_key_id"])
        return jwt.encode(claims, loaded(key), algorithm="RS256", headers={"kid": kid})

    def exchange(self, assertion: str | None = None) -> httpx.Response:
        form = {"grant_type": GRANT, "assertion": assertion or self.assertion()}
        return self.client.post(self.facts["token_uri"], data=form)

    @property
    def bearer(self) -> str:
        self.cached = self.cached or self.exchange().json()["access_token"]
        return self.cached

    def post(self, request: Any, project: str = "push-demo", **options: Any) -> httpx.Response:
        bearer = options.pop("bearer", None) or self.bearer
        url = f"{self.facts['fcm_url']}/v1/projects/{project}/messages:send"
        content = request if isinstance(request, bytes) else json.dumps(request).encode()
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
        return self.client.post(url, headers=headers, content=content)

    def send(self, token: str | None = None, **message: Any) -> httpx.Response:
        token = self.facts["tokens"]["fcm_ok"] if token is None else token
        return self.post({"message": {"token": token, "data": {"a": "b"}} | message})


@dataclass
class World:
    """The simulator of this run, put back to its first state for each test."""

    facts: dict[str, Any]
    control: launch.Control

    def rule(self, action: dict[str, Any], **rule: Any) -> None:
        """Add one rule; what is not about counting is its match."""
        counting = {"after", "every", "times", "probability", "seed", "id"}
        given = {name: value for name, value in rule.items() if name in counting}
        match = {name: value for name, value in rule.items() if name not in counting}
        self.control.post("/script", {"rules": [{"match": match, "action": action} | given]})

    def settings(self, provider: str, **settings: Any) -> None:
        self.control.post("/script", {"settings": {provider: settings}})

    def received(self, **query: Any) -> list[dict[str, Any]]:
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return self.control.get(f"/received?{text}")["records"]

    @property
    def summary(self) -> dict[str, Any]:
        return self.control.get("/received/summary")

    def tls(
        self, *, protocols: tuple[str, ...] = (), certificate: str | None = None
    ) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.facts["ca_file"])
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
        if protocols:
            context.set_alpn_protocols(list(protocols))
        if certificate:
            context.load_cert_chain(certificate)
        return context

    def port(self, which: str) -> int:
        return int(self.facts[f"{which}_url"].rsplit(":", 1)[1])
