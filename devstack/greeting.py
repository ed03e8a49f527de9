import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from devstack import binaries
from devstack.errors import StackError


def greeting(demo: Mapping[str, Any], urls: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines a developer would otherwise have to look up, ready to be pasted."""
    admin, app = demo["admin"], demo["app"]
    yield f"admin     {admin['url']}  user {admin['user']}, password {admin['password']}"
    yield f"phones    {demo['simulator']['phones_url']}"
    yield f"database  {shlex.quote(_psql())} {shlex.quote(urls['DATABASE_URL'])}"
    yield f"broker    {_valkey_cli(urls['REDIS_URL'])}"
    yield f"push      {_push(demo['base_url'], app)}"


def _psql() -> str:
    try:
        program = binaries.postgres_bin() / "psql"
    except StackError:  # somebody else's database, and no Postgres here
        return "psql"
    return str(program) if program.is_file() else "psql"


def _valkey_cli(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"valkey-cli -s {shlex.quote(unquote(parts.path))}"
    return f"valkey-cli -u {shlex.quote(url)}"


def _push(base_url: str, app: Mapping[str, Any]) -> str:
    body = {"broadcast": True, "title": "Hello", "message": "A first push"}
    keys = shlex.quote(f"{app['api_key']}:{app['server_key']}")
    data = shlex.quote(json.dumps(body))
    header = "-H 'Content-Type: application/json'"
    return f"curl -u {keys} {header} -d {data} {base_url}/notifications"
