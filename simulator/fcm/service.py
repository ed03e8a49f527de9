"""Google's side: the token endpoint and `messages:send`, with the script having its way."""

import json
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from simulator import notification_id
from simulator.action import Action, apply
from simulator.fcm.errors import USUAL, Refused, body_of, invalid
from simulator.fcm.message import Ask, data_of, read_ask
from simulator.fcm.oauth import Denied, TokenOffice, clock, denial
from simulator.fcm.quota import Meter
from simulator.records import Record
from simulator.script import Rule, Subject
from simulator.wire.messages import Answer, Link, Peer, Request
from simulator.world import Landing, World

TOKEN_PATH = "/token"  # noqa: S105  # a path
SEND = re.compile(r"/v1/projects/([^/]+)/messages:send")
WELL_FORMED = re.compile(r"[A-Za-z0-9_:\-]{20,4096}")
JSON = ("content-type", "application/json; charset=UTF-8")


@dataclass(slots=True)
class Send:
    """One request to send, as far as it has been read."""

    request: Request
    project: str = ""
    token: str = ""
    ask: Ask | None = None


class Fcm:
    """The service behind the FCM port."""

    provider = "fcm"

    def __init__(self, world: World) -> None:
        self.world = world
        self.office = TokenOffice()
        self.meter = Meter()

    def link(self, _peer: Peer) -> Link:
        """Return the terms, the same for everybody."""
        rules = self.world.fcm
        return Link(
            max_streams=rules.max_streams,
            over_limit=rules.over_limit,
            initial_window=rules.initial_window,
            window_update_delay=rules.window_update_delay_ms / 1000,
            latency=rules.latency_ms / 1000,
        )

    def handle(self, request: Request) -> Answer:
        """Answer one request, whichever of the two services it is for."""
        path = request.path.partition("?")[0]
        if path == TOKEN_PATH and request.method == "POST":
            return self._exchange(request)
        send, rule, refusal = Send(request), None, None
        try:
            self._examine(send, path)
            subject = Subject("fcm", send.token, send.project, request.peer.number)
            rule = self.world.script.pick(subject)
            refusal = scripted(rule.action) if rule else None
            if rule is None or (refusal is None and rule.action.status is None):
                self._look_up(send)
        except Refused as refused:
            refusal = refused
        answer = self._answer(send, rule, refusal)
        self._record(send, rule, refusal, answer)
        return answer

    # -- the token endpoint ------------------------------------------------------------------------

    def _exchange(self, request: Request) -> Answer:
        rules = self.world.fcm
        rule = self.world.script.pick(Subject("oauth", "", "", request.peer.number))
        verdict = "granted"
        try:
            deny_as_scripted(rule)
            now = clock(rules.clock_offset_s)
            answer = self.office.exchange(request.body, now, rules.bearer_lifetime_s)
        except Denied as denied:
            answer, verdict = denial(denied), denied.error
        if rule is not None:
            answer = apply(rule.action, answer)
        self._note(Send(request), rule, answer, verdict, accepted=False)
        return answer

    # -- judging -----------------------------------------------------------------------------------

    def _examine(self, send: Send, path: str) -> None:
        found = SEND.fullmatch(path)
        if found is None or send.request.method != "POST":
            raise Refused("NOT_FOUND")
        send.project = found[1]
        now = clock(self.world.fcm.clock_offset_s)
        bearer = self.office.bearer(send.request.value(b"authorization"), now)
        if bearer is None:
            raise Refused("UNAUTHENTICATED")
        if send.project not in self.office.projects():
            raise Refused("NOT_FOUND")
        if bearer.account.project_id != send.project or not bearer.may_send:
            raise Refused("PERMISSION_DENIED")
        send.ask = read_ask(send.request.body)
        send.token = send.ask.value
        self._count(send, now)

    def _count(self, send: Send, now: float) -> None:
        rules = self.world.fcm
        if wait := self.meter.take(send.project, rules.quota_per_minute, now):
            raise Throttled("QUOTA_EXCEEDED", wait)
        limit = rules.device_quota_per_minute
        if limit and (wait := self.meter.take(f"device {send.token}", limit, now)):
            raise Throttled("DEVICE_QUOTA_EXCEEDED", wait)

    def _look_up(self, send: Send) -> None:
        assert send.ask is not None
        if send.ask.target not in {"token", "fid"}:
            return
        if not WELL_FORMED.fullmatch(send.token):
            text = "The registration token is not a valid FCM registration token"
            raise invalid([("message.token", text)], fcm=True)
        known = self.world.tokens.get(send.token)
        if known is None or known.provider != "fcm":
            if self.world.fcm.known_tokens_only:
                raise Refused("UNREGISTERED")
            return
        if known.topic != send.project:
            raise Refused("SENDER_ID_MISMATCH")
        if known.gone_at is not None:
            raise Refused("UNREGISTERED")

    # -- answering ---------------------------------------------------------------------------------

    def _answer(self, send: Send, rule: Rule | None, refusal: Refused | None) -> Answer:
        if refusal is not None:
            answer = Answer(refusal.row.status, [JSON], body_of(refusal))
            if isinstance(refusal, Throttled):
                answer.headers.append(("retry-after", str(refusal.wait)))
        else:
            assert send.ask is not None
            made_up = f"0:{time.time_ns() // 1000}%{secrets.token_hex(8)}"
            last = "fake_message_id" if send.ask.validate_only else made_up
            document = {"name": f"projects/{send.project}/messages/{last}"}
            answer = Answer(200, [JSON], json.dumps(document).encode())
        return answer if rule is None else apply(rule.action, answer)

    def _record(
        self, send: Send, rule: Rule | None, refusal: Refused | None, answer: Answer
    ) -> None:
        accepted = refusal is None and (rule is None or rule.action.takes_the_push)
        if refusal is not None and rule is not None and rule.action.accept:
            accepted = True
        if send.ask is not None and send.ask.validate_only:
            accepted = False
        fault = answer.fault.kind if answer.fault else None
        verdict = refusal.name if refusal else fault or "refused"
        if accepted:
            verdict = "accepted"
        elif refusal is None and fault is None and answer.status == 200:
            verdict = "validated"
        self._note(send, rule, answer, verdict, accepted=accepted)
        if accepted and send.ask is not None:
            self.world.land(Landing("fcm", send.token, send.ask.message))

    def _note(
        self, send: Send, rule: Rule | None, answer: Answer, verdict: str, *, accepted: bool
    ) -> None:
        data: dict[str, Any] = data_of(send.ask.message) if send.ask else {}
        is_token_request = send.request.path.startswith(TOKEN_PATH)
        record = Record(
            number=0,
            at=time.time(),
            provider="oauth" if is_token_request else "fcm",
            request=send.request,
            token=send.token,
            topic=send.project,
            accepted=accepted,
            verdict=verdict,
            status=answer.status,
            fault=answer.fault.kind if answer.fault else None,
            rule=rule.name if rule else None,
            notification_id=notification_id.in_fcm(data),
        )
        self.world.ledger.note(record)


class Throttled(Refused):
    """Too many messages; come back after `wait` seconds."""

    def __init__(self, name: str, wait: int) -> None:
        super().__init__(name)
        self.wait = wait


def deny_as_scripted(rule: Rule | None) -> None:
    """Refuse a token request if the rule says so."""
    action = rule.action if rule else Action()
    if action.reason or (action.status or 200) >= 400:
        name = action.reason or "temporarily_unavailable"
        raise Denied(name, "as scripted", action.status or 400)


def scripted(action: Action) -> Refused | None:
    """Return the refusal a rule asks for, if it asks for one."""
    name = action.reason
    if name is None and action.status is not None and action.status >= 400:
        name = USUAL.get(action.status, "INTERNAL")
    return None if name is None else Refused(name)
