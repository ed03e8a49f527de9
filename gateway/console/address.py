"""From which address a page was asked for."""

from ipaddress import ip_address

from django.http import HttpRequest

from gateway.rest.forwarded import asked_from

UNKNOWN = "0.0.0.0"  # noqa: S104 - nobody listens there: a socket file has no address


def client_address(request: HttpRequest) -> str:
    """Give the client's address, as far out as our own proxies vouch for it.

    With `GATEWAY_PROXY_HOPS` of them in front, it is what the outermost one has heard; what a
    client itself wrote into `X-Forwarded-For` stands further left.
    """
    said = asked_from(request.META)
    if said is None:
        said = request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address(said))
    except ValueError:
        return UNKNOWN
