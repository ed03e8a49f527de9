"""Typed readers of the environment; a wrong value stops the start with one clear line."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


@contextmanager
def one_clear_line() -> Iterator[None]:
    """End the process with the one thing to put right, where there is one."""
    try:
        yield
    except ImproperlyConfigured as error:
        raise SystemExit(f"configuration: {error}") from None


def text(name: str, default: str | None = None) -> str:
    """Give a value, or the content of the file named by `NAME_FILE` (container secrets)."""
    if (path := os.environ.get(f"{name}_FILE")) is not None:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: {error.strerror}: {path}") from error
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} must be set")
    return value


def flag(name: str, *, default: bool) -> bool:
    """Give a yes or no."""
    value = text(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} must be one of 1, true, yes, on, 0, false, no, off")


def number(name: str, default: int, *, at_least: int = 0, at_most: int | None = None) -> int:
    """Give a whole number within its bounds."""
    value = text(name, str(default))
    try:
        found = int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}") from error
    if found < at_least or (at_most is not None and found > at_most):
        most = f" and at most {at_most}" if at_most is not None else ""
        raise ImproperlyConfigured(f"{name} must be at least {at_least}{most}, not {found}")
    return found


def seconds(name: str, default: int, *, at_least: int = 1) -> timedelta:
    """Give a length of time, written in whole seconds."""
    return timedelta(seconds=number(name, default, at_least=at_least))


def words(name: str, default: str = "") -> list[str]:
    """Give a comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Give a comma-separated list of networks in CIDR notation."""
    try:
        return [ip_network(word) for word in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error


def choice(name: str, default: str, choices: list[str]) -> str:
    """Give one of a few words."""
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def url(name: str) -> str:
    """Give an address that begins with http:// or https://, or nothing where none is set."""
    value = text(name, "")
    if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
        raise ImproperlyConfigured(f"{name} must start with http:// or https://")
    return value


def private_folder(name: str) -> str:
    """Give the path of a folder for files that need not last: in memory, where there is room."""
    memory = Path("/dev/shm")  # noqa: S108 - ours are apart for each user, and checked to be
    base = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    return str(base / f"{name}-{os.geteuid()}")


def database(name: str = "DATABASE_URL") -> dict[str, object]:
    """Give Django's settings for `postgresql://user:password@host:port/name`.

    A percent-encoded path as host is a unix socket directory. A password kept apart from the URL is
    `DATABASE_PASSWORD`: one file for us and for the server's own container.
    """
    url = urlsplit(text(name, "postgresql:///gateway"))
    if url.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name} must start with postgresql://")
    try:
        port = url.port or ""
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or "") or text("DATABASE_PASSWORD", ""),
        "HOST": unquote(url.hostname or "") if "%" not in url.netloc else _socket(url.netloc),
        "PORT": port,
        "OPTIONS": {"connect_timeout": "5", **dict(parse_qsl(url.query))},
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def _socket(netloc: str) -> str:
    # urlsplit lowers the host's case; a path must keep it
    return unquote(netloc.rpartition("@")[2].partition(":")[0])


def broker(name: str = "REDIS_URL") -> str:
    """Give the broker's URL in Celery's spelling.

    kombu knows no `unix://`: `unix://<path>?db=0` becomes `redis+socket://<path>?virtual_host=0`.
    """
    url = text(name, "redis://127.0.0.1:6379/0")
    parts = urlsplit(url)
    if parts.scheme in {"redis", "rediss"}:
        return url
    if parts.scheme == "unix":
        return (
            f"redis+socket://{parts.path}?virtual_host={dict(parse_qsl(parts.query)).get('db', 0)}"
        )
    raise ImproperlyConfigured(f"{name} must start with redis://, rediss:// or unix://")
