"""Who asks, as far out as our own proxies vouch for it."""

from collections.abc import Mapping

from django.conf import settings


def asked_from(headers: Mapping[str, str]) -> str | None:
    """Give the address a request came from, as text nobody has checked; None where none is told.

    Each of `PROXY_HOPS` proxies of ours appends to `X-Forwarded-For` what it heard; what stands
    before that is anybody's word. `headers` are a request's `META`.
    """
    hops = settings.PROXY_HOPS
    if not hops:
        return headers.get("REMOTE_ADDR", "")
    passed = headers.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return passed[-hops].strip() if len(passed) >= hops else None
