"""What older clients sign: every parameter but the signature itself, keyed with the app's secret.

HMAC-SHA1 over `key=value` pairs with raw values, sorted by code point and joined with `&`
(contracts/connectycube §4).
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from crm.models import App, AppKey
from crm.sealing import unseal
from gateway.rest.bracketed import flat


def is_signed(app: App, said: Mapping[str, Any]) -> bool:
    """Say whether `signature` is one of the app's own over all the rest."""
    signature = str(said["signature"]).lower().encode()
    text = signed_text({key: value for key, value in said.items() if key != "signature"})
    keys = AppKey.objects.live().filter(app=app, kind=AppKey.Kind.SIGNING)
    signatures = [sign(text, unseal(key.sealed)) for key in keys if key.sealed]
    return any(hmac.compare_digest(one.encode(), signature) for one in signatures)


def signed_text(said: Mapping[str, Any]) -> str:
    """Give the text that is signed; nested members are written `user[login]=…`."""
    return "&".join(sorted(f"{key}={value}" for key, value in flat(dict(said))))


def sign(text: str, secret: str) -> str:
    """Give the signature of a text, in lower-case hexadecimal digits."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha1).hexdigest()
