"""firebase-admin's app and message types, sitting on the wire; the only door to firebase-admin."""

import asyncio
import itertools
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import firebase_admin
import requests
from firebase_admin import messaging
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from delivery.message import Json
from delivery.providers import json_text
from delivery.providers.address import Address
from delivery.providers.contract import Target
from delivery.providers.fcm.account import ServiceAccount
from delivery.providers.fcm.bearer import Bearer
from delivery.providers.fcm.payload import Rendered
from delivery.providers.wire import (
    Answer,
    Endpoint,
    Policy,
    Pool,
    Request,
    Stats,
    Uncertain,
    Unsent,
    encode_literal,
)
from delivery.trust import HTTP1, shared_trust, trust

Result = Answer | Unsent | Uncertain

FIELDS = (
    (b"content-type", b"application/json"),
    (b"x-goog-api-format-version", b"2"),  # as firebase-admin asks: errors with details
    (b"x-firebase-client", f"fire-admin-python/{firebase_admin.__version__}".encode()),
)

SHIPPED_BATCH = 100
"""Messages in one `send_each`: it starts a thread for each, and keeps a hundred connections."""

SHIPPED_TIMEOUT = 15
"""Seconds for one attempt; firebase-admin's own default is 120."""

PLAIN_ANDROID = ("priority", "ttl", "collapse_key")

_numbers = itertools.count(1)


class Client:
    """One project's sender: identity through a firebase-admin app, messages over the wire."""

    def __init__(
        self, account: ServiceAccount, address: Address, ca_pem: str, policy: Policy
    ) -> None:
        self.bearer = Bearer(account, shared_trust(ca_pem, protocol=HTTP1))
        self.app = open_app(account, self.bearer)
        self._path = f"/v1/projects/{account.project_id}/messages:send".encode()
        trusted = shared_trust(ca_pem)
        self._pool = Pool(Endpoint(address.host, address.port, trusted), policy=policy)

    @property
    def stats(self) -> Stats:
        """How its connections are now."""
        return self._pool.stats

    def find_fault(self, message: Json) -> str:
        """Say why this message cannot be sent; empty where it can."""
        return find_fault(message)

    async def send_many(
        self, rendered: Rendered, targets: Sequence[Target], token: str
    ) -> AsyncGenerator[list[tuple[Target, Result]], None]:
        """Yield (target, answer) pairs as answers arrive, one for each target."""
        path, body_for = self._path, rendered.body_for
        secret = encode_literal(b"authorization", f"Bearer {token}".encode(), compress=True)
        asked = [Request(path, FIELDS, secret, body_for(target[1]), target) for target in targets]
        async with aclosing(self._pool.send(asked)) as arriving:
            async for arrived in arriving:
                yield arrived

    async def drain(self, patience: float) -> None:
        """Let what is in flight finish, for so long, and hang up."""
        await self._pool.drain(patience)
        await asyncio.to_thread(firebase_admin.delete_app, self.app)


class Library:
    """Sends as `Client` does, through firebase-admin's own `send_each`, without its retries."""

    def __init__(self, account: ServiceAccount, address: Address, ca_pem: str) -> None:
        self.bearer = Bearer(account, shared_trust(ca_pem, protocol=HTTP1))
        self.app = open_app(account, self.bearer)
        url = f"https://{address.host}:{address.port}/v1/projects/{account.project_id}"
        _aim(self.app, f"{url}/messages:send", trust(ca_pem))

    def find_fault(self, message: Json) -> str:
        """Say why this message cannot be sent, or not by this transport; empty where it can."""
        return _fault_of(message)

    async def send_many(
        self,
        rendered: Rendered,
        targets: Sequence[Target],
        token: str,  # noqa: ARG002 - the app's credentials bring their own
    ) -> AsyncGenerator[list[tuple[Target, Result]], None]:
        """Yield (target, answer) pairs a batch at a time, one for each target."""
        for start in range(0, len(targets), SHIPPED_BATCH):
            batch = targets[start : start + SHIPPED_BATCH]
            yield await asyncio.to_thread(self._send, rendered.message, batch)

    async def drain(self, patience: float) -> None:  # noqa: ARG002 - each batch ends by itself
        """Hang up."""
        await asyncio.to_thread(firebase_admin.delete_app, self.app)

    def _send(self, message: Json, targets: Sequence[Target]) -> list[tuple[Target, Result]]:
        messages = [build_message(message, target.address) for target in targets]
        try:
            responses = messaging.send_each(messages, app=self.app).responses
        except firebase_admin.exceptions.UnknownError as error:  # the batch, accepted parts and all
            return [(target, Uncertain(f"firebase-admin: {error}")) for target in targets]
        return [
            (target, _read(response)) for target, response in zip(targets, responses, strict=True)
        ]


def open_app(account: ServiceAccount, bearer: Bearer) -> firebase_admin.App:
    """Give a firebase-admin app that knows itself by our credentials."""
    options = {"projectId": account.project_id, "httpTimeout": SHIPPED_TIMEOUT}
    return firebase_admin.initialize_app(bearer, options, name=f"push-gateway-{next(_numbers)}")


def build_message(message: Json, address: str) -> messaging.Message:
    """Give firebase-admin's own object for a message; a ValueError where it has none."""
    if unknown := sorted(message.keys() - {"data", "android"}):
        raise ValueError(f"not carried by this transport: {', '.join(unknown)}")
    android = dict(message.get("android") or {})
    if ttl := android.get("ttl"):
        android["ttl"] = float(str(ttl).removesuffix("s"))
    if priority := android.get("priority"):
        android["priority"] = str(priority).lower()
    try:
        config = messaging.AndroidConfig(**android)
    except TypeError as error:
        raise ValueError(str(error)) from error
    built = messaging.Message(data=message.get("data"), android=config)
    built.token = (
        address  # the argument warns in favour of `fid`, which devices do not hand out yet
    )
    return built


def find_fault(message: Json) -> str:
    """Say what firebase-admin finds wrong with a message before sending it; empty where nothing.

    Parts of a raw message it has no plain form for are left to Google's judgement.
    """
    android = message.get("android") or {}
    plain = {name: android[name] for name in PLAIN_ANDROID if name in android}
    return _fault_of({"data": message.get("data"), "android": plain})


def _fault_of(message: Json) -> str:
    try:
        str(build_message(message, "token"))
    except ValueError as error:
        return str(error)
    return ""


def _read(response: messaging.SendResponse) -> Result:
    if response.success:
        return Answer(200, {}, json_text.dump({"name": response.message_id}))
    error = response.exception
    if error is None:  # it takes a 200 without a name for neither success nor failure
        return Answer(200, {}, b"{}")
    said = error.http_response
    if said is not None:
        headers = {name.lower().encode(): value.encode() for name, value in said.headers.items()}
        return Answer(said.status_code, headers, said.content)
    return Unsent(str(error)) if _never_connected(error.cause) else Uncertain(str(error))


def _never_connected(cause: Any) -> bool:
    if not isinstance(cause, requests.ConnectionError) or not cause.args:
        return False
    reason = getattr(cause.args[0], "reason", None)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError | ssl.SSLError)


class _Adapter(HTTPAdapter):
    """Connections that trust what our context trusts, and try once."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=SHIPPED_BATCH, pool_maxsize=SHIPPED_BATCH, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def cert_verify(self, conn: Any, *_: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"  # and no other authorities than the context's


def _aim(app: firebase_admin.App, url: str, context: ssl.SSLContext) -> None:
    """Point an app's sender at an address, without retries inside the call.

    There is no public way (contract: providers, pointing the real clients at a local server), and
    firebase-admin is pinned exactly because of it; a changed private name fails here, at once.
    """
    service = messaging._get_messaging_service(app)  # noqa: SLF001 - see above
    if not hasattr(service, "_fcm_url"):
        raise AttributeError("firebase-admin keeps its URL elsewhere now")
    service._fcm_url = url  # noqa: SLF001 - see above
    session = service._client.session  # noqa: SLF001 - see above
    session.trust_env = False
    session.mount(url, _Adapter(context))
