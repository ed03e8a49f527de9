"""The request headers of a push, checked as Apple documents them.

Apple, "Sending notification requests to APNs", table of header fields.
"""

import re
from dataclasses import dataclass

from simulator.apns.reasons import Refused
from simulator.wire.messages import Request, text_of

# push type -> what its topic ends with, after the bundle id
SUFFIXES = {
    "alert": "",
    "background": "",
    "mdm": "",
    "voip": ".voip",
    "complication": ".complication",
    "fileprovider": ".pushkit.fileprovider",
    "location": ".location-query",
    "liveactivity": ".push-type.liveactivity",
    "pushtotalk": ".voip-ptt",
    "widgets": ".push-type.widgets",
    "controls": ".push-type.controls",
}
LIMITS = {"voip": 5120}
LIMIT = 4096
CANONICAL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]*")
WHOLE = re.compile(r"[0-9]{1,18}")
PRIORITIES = {None, "1", "5", "10"}
COLLAPSE_ID_OCTETS = 64


@dataclass(frozen=True, slots=True)
class PushHeaders:
    """What the headers of an acceptable push say."""

    push_id: str | None
    push_type: str
    topic: str | None
    collapse_id: str | None
    priority: int

    @property
    def suffix(self) -> str:
        """What the topic of this push type ends with."""
        return SUFFIXES[self.push_type]

    @property
    def limit(self) -> int:
        """The largest body this push type may have, in octets."""
        return LIMITS.get(self.push_type, LIMIT)


def read_headers(request: Request) -> PushHeaders:
    """Return the push headers of a request, or refuse it."""
    sent: dict[str, str] = {}
    for name, value in request.headers:
        if name.startswith(b"apns-"):
            key = name.decode("latin-1")
            if key in sent:
                raise Refused("DuplicateHeaders")
            sent[key] = text_of(value)
    push_id, push_type = sent.get("apns-id"), sent.get("apns-push-type", "alert")
    collapse_id, priority = sent.get("apns-collapse-id"), sent.get("apns-priority")
    if push_id is not None and not CANONICAL.fullmatch(push_id):
        raise Refused("BadMessageId")
    if not WHOLE.fullmatch(sent.get("apns-expiration", "0")):
        raise Refused("BadExpirationDate")
    if push_type not in SUFFIXES:
        raise Refused("InvalidPushType")
    if priority not in PRIORITIES or (push_type == "background" and priority == "10"):
        raise Refused("BadPriority")
    if collapse_id is not None and len(collapse_id.encode()) > COLLAPSE_ID_OCTETS:
        raise Refused("BadCollapseId")
    topic = sent.get("apns-topic")
    if topic is not None and not TOPIC.fullmatch(topic):
        raise Refused("BadTopic")
    return PushHeaders(push_id, push_type, topic, collapse_id, int(priority or 10))
