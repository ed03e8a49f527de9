"""What an authenticator app shows, worked out as RFC 6238 says."""

import base64
import hmac
import struct
import time


def code(secret: str, *, steps: int = 0) -> str:
    """Give the six digits of now, or of some half minutes from now."""
    counter = struct.pack(">Q", int(time.time()) // 30 + steps)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    start = digest[-1] & 15
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def wrong(secret: str) -> str:
    """Give six digits that are of no moment near now."""
    near = {code(secret, steps=steps) for steps in range(-3, 4)}
    return next(f"{n:06}" for n in range(10) if f"{n:06}" not in near)
