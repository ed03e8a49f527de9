"""`event[message]` ↔ what devices receive: text in, a provider's own content out, or `Invalid`.

Knows no request and no row (contract: connectycube §8 and §9).
"""

from gateway.connectycube.message_codec.channels import Channel
from gateway.connectycube.message_codec.composing import Composed, compose
from gateway.connectycube.message_codec.decoding import decode
from gateway.connectycube.message_codec.platform import Platform
from gateway.connectycube.message_codec.universal import Universal

__all__ = ["Channel", "Composed", "Platform", "Universal", "compose", "decode"]
