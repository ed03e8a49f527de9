"""aioapns' own vocabulary works on our client: requests and results, one push or many."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from aioapns import APNs, NotificationRequest, PushType
from aioapns.exceptions import ConnectionClosed
from aioapns.exceptions import ConnectionError as NotConnected

from delivery.providers.address import Address, read_address
from delivery.providers.apns.access import read_access
from delivery.providers.apns.client import Client
from delivery.providers.apns.token import ProviderToken
from delivery.trust import trust
from tests.promises.stage import IMPATIENT, Stage, address_of

Body = Callable[[Client], Awaitable[Any]]


def context_of(stage: Stage) -> ssl.SSLContext:
    return trust(stage.text(stage.facts["ca_file"]))


def with_client(stage: Stage, body: Body, *, address: Address | None = None) -> Any:
    async def run() -> Any:
        access = read_access(stage.credentials("apns"))
        assert access.key is not None
        client = Client(
            access,
            address or read_address(stage.facts["apns_url"], default=""),
            context_of(stage),
            token=ProviderToken(access.key),
            policy=IMPATIENT,
            want_headers=True,
        )
        try:
            return await asyncio.wait_for(body(client), 8)
        finally:
            await client.drain(1)

    return asyncio.run(run())


def request(stage: Stage, number: int = 1, **changes: Any) -> NotificationRequest:
    said = {
        "device_token": address_of("apns", number),
        "message": {"aps": {"alert": "Hi"}},
        "apns_topic": stage.facts["apns"]["topic"],
        "push_type": PushType.ALERT,
        "priority": 10,
    }
    return NotificationRequest(**{**said, **changes})


def test_it_is_an_aioapns_client(stage: Stage) -> None:
    async def body(client: Client) -> bool:
        return isinstance(client, APNs)

    assert with_client(stage, body)


def test_send_notification_gives_aioapns_result(stage: Stage) -> None:
    asked = request(stage, time_to_live=60, collapse_key="c")

    async def body(client: Client) -> Any:
        return await client.send_notification(asked)

    result = with_client(stage, body)
    assert result.is_successful
    assert result.notification_id == asked.notification_id
    headers = stage.received()[0]["headers"]
    assert headers["apns-collapse-id"] == "c"
    assert int(headers["apns-expiration"]) > 1_700_000_000


def test_send_notification_gives_apples_reason(stage: Stage) -> None:
    stage.script({"action": {"reason": "Unregistered", "timestamp": 1629000000000}})

    async def body(client: Client) -> Any:
        return await client.send_notification(request(stage))

    result = with_client(stage, body)
    assert (result.status, result.description) == ("410", "Unregistered")
    assert result.timestamp == 1629000000000


def test_it_sends_what_aioapns_itself_would_send(stage: Stage) -> None:
    asked = request(stage, collapse_key="c", notification_id="11111111-2222-4333-8444-555555555555")

    async def both(client: Client) -> None:
        await client.send_notification(asked)
        facts = stage.facts["apns"]
        shipped = APNs(
            key=stage.text(facts["key_file"]),
            key_id=facts["key_id"],
            team_id=facts["team_id"],
            topic=facts["topic"],
            ssl_context=context_of(stage),
        )
        address = read_address(stage.facts["apns_url"], default="")
        shipped.pool.protocol_class.APNS_SERVER  # noqa: B018 - the attributes aimed below exist
        shipped.pool.protocol_class = type(
            "Addressed",
            (shipped.pool.protocol_class,),
            {"APNS_SERVER": address.host, "APNS_PORT": address.port},
        )
        await shipped.send_notification(asked)
        shipped.pool.close()
        await asyncio.sleep(0.2)

    with_client(stage, both)
    ours, theirs = stage.received()
    assert ours["payload"] == theirs["payload"]
    differing = {":authority", "host", "authorization"}
    assert {name: value for name, value in ours["headers"].items() if name not in differing} == {
        name: value for name, value in theirs["headers"].items() if name not in differing
    }


def test_send_many_takes_plain_requests_and_names_the_one_each_result_is_for(stage: Stage) -> None:
    asked = [request(stage, number) for number in range(50)]

    async def body(client: Client) -> list[Any]:
        async with aclosing(client.send_many(asked)) as arriving:
            return [result async for results in arriving for result in results]

    results = with_client(stage, body)
    assert sorted(id(result.request) for result in results) == sorted(map(id, asked))
    assert all(result.is_successful for result in results)


@pytest.mark.parametrize(
    ("wire", "raised"), [({"wire": "stall"}, ConnectionClosed), (None, NotConnected)]
)
def test_without_an_answer_aioapns_own_exceptions_say_whether_it_left(
    wire: dict[str, str] | None, raised: type[Exception], stage: Stage
) -> None:
    if wire:
        stage.script({"action": wire})
    address = None if wire else Address("127.0.0.1", 1)

    async def body(client: Client) -> Any:
        return await client.send_notification(request(stage))

    with pytest.raises(raised):
        with_client(stage, body, address=address)


def test_connections_are_left_once_however_many_ask(stage: Stage) -> None:
    async def body(client: Client) -> int:
        await client.send_notification(request(stage))
        for _ in range(5):
            client.reconnect(0)
        await client.send_notification(request(stage))
        return client.generation

    assert with_client(stage, body) == 1
    assert stage.summary()["traffic"]["apns"]["connections_opened"] == 2


def test_a_secret_file_is_gone_when_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    from pathlib import Path

    from delivery.providers.apns.secret_file import lend_file

    for with_memory in (True, False):
        if not with_memory:
            monkeypatch.delattr(os, "memfd_create", raising=False)
        with lend_file("-----BEGIN-----") as name:
            path = Path(name)
            assert path.read_text() == "-----BEGIN-----"
            assert path.stat().st_mode & 0o077 == 0 or with_memory
        assert not path.exists()
