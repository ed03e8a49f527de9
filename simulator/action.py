"""What a rule does to a request: data read from JSON, and its effect on an answer."""

import time
from dataclasses import dataclass, fields
from email.utils import formatdate
from types import UnionType
from typing import Any

from simulator.settings import Unfit
from simulator.wire.messages import Answer, Fault, Goaway

REFUSED_STREAM = 7
BODIES = {"empty", "html", "split"}
WIRES = {
    "stall",
    "stall_connection",
    "disconnect",
    "disconnect_mid_body",
    "reset",
    "refuse",
    "goaway",
}
TYPES: dict[str, type | UnionType] = {
    "reason": str,
    "status": int,
    "timestamp": str | int,
    "retry_after": int,
    "retry_after_form": str,
    "text": str,
    "apns_id": str,
    "delay_ms": int,
    "code": int,
    "accept": bool,
}
HTML = b"<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>"
GOAWAY_CHOICES = {
    "last": {"this", "previous", "all"},
    "order": {"before", "after", "instead"},
    "close": {"drain", "now", "never"},
}


@dataclass(frozen=True, slots=True)
class Action:
    """One misbehaviour; everything is optional."""

    reason: str | None = None
    status: int | None = None
    timestamp: str | int | None = None  # past | future | milliseconds, with a 410
    retry_after: int | None = None
    retry_after_form: str = "seconds"  # seconds | date
    body: str | None = None  # empty | html | split
    text: str | None = None  # a body of your own
    headers: dict[str, str] | None = None
    apns_id: str | None = None  # missing | upper | other
    delay_ms: int = 0
    wire: str | None = None
    code: int = 0
    goaway: Goaway | None = None
    accept: bool | None = None

    @property
    def takes_the_push(self) -> bool:
        """Whether the provider accepts the push, whatever the client gets to see of it."""
        if self.accept is not None:
            return self.accept
        if self.goaway is not None and (
            self.goaway.order == "instead" or self.goaway.last == "previous"
        ):
            return False
        refused = self.reason is not None or (self.status is not None and self.status >= 400)
        return not refused and self.wire in {None, "goaway", "disconnect_mid_body"}


def action_of(document: Any) -> Action:
    """Return the action a JSON object describes, or say what is wrong with it."""
    known = {field.name for field in fields(Action)}
    if not isinstance(document, dict) or not document.keys() <= known:
        raise Unfit(f"action is an object with keys among {sorted(known)}")
    document = dict(document)
    if document.get("body") not in BODIES | {None}:
        raise Unfit(f"body must be one of {sorted(BODIES)}")
    if document.get("wire") not in WIRES | {None}:
        raise Unfit(f"wire must be one of {sorted(WIRES)}")
    for name, kind in TYPES.items():
        if document.get(name) is not None and not isinstance(document[name], kind):
            raise Unfit(f"{name} is of the wrong type")
    if not isinstance(document.get("headers") or {}, dict) or any(
        not isinstance(value, str) for value in (document.get("headers") or {}).values()
    ):
        raise Unfit("headers is an object of strings")
    if document.get("wire") == "refuse":
        document |= {"wire": "reset", "code": REFUSED_STREAM}
    if "goaway" in document or document.get("wire") == "goaway":
        document |= {"wire": "goaway", "goaway": goaway_of(document.get("goaway", {}))}
    return Action(**document)


def goaway_of(document: Any) -> Goaway:
    """Return the GOAWAY a JSON object describes."""
    known = {field.name for field in fields(Goaway)}
    if not isinstance(document, dict) or not document.keys() <= known:
        raise Unfit(f"goaway is an object with keys among {sorted(known)}")
    for name, choices in GOAWAY_CHOICES.items():
        value = document.get(name)
        if value is not None and value not in choices and not (name == "last" and _is_id(value)):
            raise Unfit(f"goaway.{name} must be one of {sorted(choices)}")
    if document.get("last") == "previous":
        document = document | {"order": "instead"}
    return Goaway(**document)


def apply(action: Action, answer: Answer) -> Answer:
    """Return the answer with the misbehaviour worked into it."""
    if action.status is not None:
        answer.status = action.status
    if action.body == "empty":
        answer.body = b""
    elif action.body == "html":
        answer.body = HTML
        answer.headers = _without(answer.headers, "content-type")
        answer.headers.append(("content-type", "text/html; charset=UTF-8"))
    if action.text is not None:
        answer.body = action.text.encode()
    if action.retry_after is not None:
        answer.headers.append(("retry-after", _retry_after(action)))
    for name, value in (action.headers or {}).items():
        answer.headers = [*_without(answer.headers, name.lower()), (name.lower(), value)]
    answer.delay += action.delay_ms / 1000
    if action.wire is not None:
        answer.fault = Fault(action.wire, action.code, action.goaway)
    elif action.body == "split":
        answer.fault = Fault("split")
    return answer


def _retry_after(action: Action) -> str:
    seconds = action.retry_after or 0
    if action.retry_after_form == "date":
        return formatdate(time.time() + seconds, usegmt=True)
    return str(seconds)


def _without(headers: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    return [pair for pair in headers if pair[0] != name]


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
