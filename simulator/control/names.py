"""Tokens, keys and projects the two vendors know."""

from typing import Any

from aiohttp import web

from simulator.control.access import body_of, simulator_of
from simulator.identity.apns_keys import ApnsKey, new_private_key, portal_id, public_of
from simulator.identity.material import PROJECT, TOPIC
from simulator.identity.service_accounts import new_account
from simulator.settings import Unfit

MOST = 1_000_000
routes = web.RouteTableDef()


@routes.post("/tokens")
async def issue(request: web.Request) -> web.Response:
    """Issue device tokens, or take given ones into the book."""
    document = await body_of(request)
    provider = document.get("provider", "apns")
    count, value = document.get("count", 1), document.get("token")
    if type(count) is not int or not 1 <= count <= MOST or (count > 1 and value is not None):
        raise Unfit(f"count is between 1 and {MOST}, and 1 for a given token")
    if value is not None and not isinstance(value, str):
        raise Unfit("token is a string")
    topic = document.get("topic") or document.get("project")
    gone_at_ms = document.get("gone_at_ms")
    if gone_at_ms is not None and not isinstance(gone_at_ms, int | float):
        raise Unfit("gone_at_ms is a number")
    tokens = [
        simulator_of(request).book.issue(
            provider,
            str(topic or (TOPIC if provider == "apns" else PROJECT)),
            environment=document.get("environment", "any"),
            value=value,
            gone_at=None if gone_at_ms is None else gone_at_ms / 1000,
        )
        for _ in range(count)
    ]
    return web.json_response({"tokens": [token.value for token in tokens]}, status=201)


@routes.get("/tokens/{token}")
async def show(request: web.Request) -> web.Response:
    """Return what is known of a token."""
    known = simulator_of(request).book.get(request.match_info["token"])
    if known is None:
        return web.json_response({"error": "unknown token"}, status=404)
    return web.json_response(known.as_json())


@routes.post("/tokens/{token}/gone")
async def retire(request: web.Request) -> web.Response:
    """Mark a token as gone, an hour ago unless told when."""
    at = (await body_of(request)).get("gone_at_ms")
    if at is not None and not isinstance(at, int | float):
        raise Unfit("gone_at_ms is a number")
    book = simulator_of(request).book
    token = book.retire(request.match_info["token"], None if at is None else at / 1000)
    return web.json_response(token.as_json())


@routes.delete("/tokens/{token}")
async def forget(request: web.Request) -> web.Response:
    """Forget a token."""
    simulator_of(request).book.forget(request.match_info["token"])
    return web.json_response({"ok": True})


@routes.post("/apns/keys")
async def add_key(request: web.Request) -> web.Response:
    """Register an APNs key: a given one, or a fresh one whose private half is returned."""
    document = await body_of(request)
    simulator = simulator_of(request)
    pem = document.get("pem")
    private = new_private_key().decode() if pem is None else None
    topics = document.get("topics")
    if topics is not None and not isinstance(topics, list):
        raise Unfit("topics is a list of bundle ids")
    environment = document.get("environment", "both")
    if environment not in {"both", "production", "sandbox"}:
        raise Unfit("environment is both, production or sandbox")
    key = ApnsKey(
        key_id=str(document.get("key_id") or portal_id()),
        team_id=str(document.get("team_id") or simulator.facts["apns"]["team_id"]),
        public=public_of(str(pem or private).encode()),
        topics=None if topics is None else frozenset(map(str, topics)),
        environment=environment,
    )
    simulator.apns.keyring.add(key)
    answer: dict[str, Any] = {"key_id": key.key_id, "team_id": key.team_id}
    return web.json_response(answer | ({"private_key": private} if private else {}), status=201)


@routes.delete("/apns/keys/{key_id}")
async def revoke_key(request: web.Request) -> web.Response:
    """Revoke an APNs key."""
    known = simulator_of(request).apns.keyring.revoke(request.match_info["key_id"])
    return web.json_response({"ok": known}, status=200 if known else 404)


@routes.post("/fcm/projects")
async def add_project(request: web.Request) -> web.Response:
    """Make another project and return its service account."""
    project = (await body_of(request)).get("project_id")
    if not isinstance(project, str) or not project:
        raise Unfit("project_id is required")
    simulator = simulator_of(request)
    account = new_account(project, simulator.facts["token_uri"])
    simulator.fcm.office.register(account)
    return web.json_response(account.document, status=201)


@routes.post("/fcm/bearers/expire")
async def expire_bearers(request: web.Request) -> web.Response:
    """End the life of every bearer handed out."""
    return web.json_response({"expired": simulator_of(request).fcm.office.expire_all()})
