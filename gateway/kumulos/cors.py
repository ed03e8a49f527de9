"""Device routes, reached from web pages of other origins (the web SDK; contracts/kumulos §2.0)."""

from functools import partial

from gateway.rest import cors

EXPOSED = "Idempotent-Replayed, Retry-After"

DEVICE_PREFIXES = ("/v1/app-installs/", "/v1/channels", "/v1/users/", "/v1/web/")

cross_origin = partial(
    cors.cross_origin,
    preflight=cors.preflight_headers("Authorization", "Content-Type", "Accept", "Idempotency-Key"),
    exposed=EXPOSED,
)


def is_device_path(path: str) -> bool:
    """Say whether a path belongs to devices, known to us or not."""
    return path.startswith(DEVICE_PREFIXES)
