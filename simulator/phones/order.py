"""An order for new phones, as it comes over the control API."""

from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simulator.identity.material import PROJECT, TOPIC
from simulator.settings import Unfit

MOST = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What the new phones should be like."""

    platform: str
    gateway: str
    api_key: str
    secret_key: str
    name: str = ""
    count: int = 1
    install_id: str | None = None
    user: str | None = None
    attributes: dict[str, Any] | None = None
    environment: str = "production"
    topic: str = TOPIC
    project: str = PROJECT
    timezone: str = "Etc/UTC"
    locale: str = "en-GB"


def order_of(document: Any) -> Order:
    """Return the order a JSON object describes, or say what is wrong with it."""
    known = {field.name for field in fields(Order)}
    if not isinstance(document, dict) or not document.keys() <= known:
        raise Unfit(f"phones are ordered with keys among {sorted(known)}")
    for name in ("platform", "gateway", "api_key", "secret_key"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise Unfit(f"{name} is required")
    order = Order(**document)
    if order.platform not in {"ios", "android"}:
        raise Unfit("platform is ios or android")
    if order.environment not in {"production", "sandbox"}:
        raise Unfit("environment is production or sandbox")
    if urlsplit(order.gateway).scheme not in {"http", "https"}:
        raise Unfit("gateway is an http or https address")
    if type(order.count) is not int or not 1 <= order.count <= MOST:
        raise Unfit(f"count is between 1 and {MOST}")
    if order.count > 1 and order.install_id is not None:
        raise Unfit("install_id names one phone; leave it out to make several")
    try:
        ZoneInfo(order.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Unfit("timezone is an IANA name") from error
    return order
