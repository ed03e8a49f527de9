"""Every route may be called by pages of any origin: the JavaScript SDK runs in browsers."""

from functools import partial

from gateway.rest import cors

EXPOSED = "CB-Token-ExpirationDate, QB-Token-ExpirationDate, Date, Idempotent-Replayed, Retry-After"

SENT = (
    *("CB-Token", "CB-AuthKey", "CB-SDK", "CB-OS", "ConnectyCube-REST-API-Version"),
    *("QB-Token", "QB-AuthKey", "Content-Type", "Accept", "Idempotency-Key"),
)
"""Headers clients send (contracts/connectycube §2)."""

cross_origin = partial(cors.cross_origin, preflight=cors.preflight_headers(*SENT), exposed=EXPOSED)
