"""Apple's push service: judges each push, lets the script have its way, answers."""

import json
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

from simulator import notification_id
from simulator.action import Action, apply
from simulator.apns.caller import Binding, Keyring, admit_token, check_environment
from simulator.apns.certificate import read_certificate
from simulator.apns.headers import PushHeaders, read_headers
from simulator.apns.reasons import STATUS, USUAL, Refused, body_of
from simulator.apns.topic import bundle_of, topic_of
from simulator.records import Record
from simulator.script import Rule, Subject
from simulator.tokens import HOUR, Token
from simulator.wire.messages import Answer, Link, Peer, Request
from simulator.world import Landing, World

PREFIX = "/3/device/"
WELL_FORMED = re.compile(r"(?:[0-9a-fA-F]{2}){32,100}")
NOT_COUNTED = {410, 429}  # Apple: "410 does not count" against a connection


@dataclass(slots=True)
class Push:
    """One push, as far as it has been read."""

    request: Request
    token: str = ""
    topic: str = ""
    environment: str = "any"
    headers: PushHeaders | None = None
    payload: Any = None


class Apns:
    """The service behind the APNs port."""

    provider = "apns"

    def __init__(self, world: World) -> None:
        self.world = world
        self.keyring = Keyring()

    def link(self, peer: Peer) -> Link:
        """Return the terms: one stream until the sender has proved itself."""
        rules, binding = self.world.apns, self._binding(peer)
        streams = rules.max_streams if binding.trusted else rules.initial_max_streams
        return Link(
            max_streams=min(1, streams) if binding.throttled else streams,
            over_limit=rules.over_limit,
            initial_window=rules.initial_window,
            window_update_delay=rules.window_update_delay_ms / 1000,
            latency=rules.latency_ms / 1000,
        )

    def handle(self, request: Request) -> Answer:
        """Judge one push, record it, and say how to answer."""
        push, rule, refusal = Push(request), None, None
        try:
            self._examine(push)
            subject = Subject("apns", push.token, push.topic, request.peer.number)
            rule = self.world.script.pick(subject)
            refusal = scripted(rule.action) if rule else None
            if rule is None or (refusal is None and rule.action.status is None):
                self._look_up(push)
        except Refused as refused:
            refusal = refused
        answer = self._answer(push, rule, refusal)
        self._record(push, rule, refusal, answer)
        self._tighten(push, answer, refusal)
        return answer

    # -- judging -----------------------------------------------------------------------------------

    def _examine(self, push: Push) -> None:
        request, rules = push.request, self.world.apns
        if not request.path.startswith(PREFIX):
            raise Refused("BadPath")
        push.token = request.path.removeprefix(PREFIX)
        push.topic = request.value(b"apns-topic") or ""
        if request.method != "POST":
            raise Refused("MethodNotAllowed")
        if not push.token:
            raise Refused("MissingDeviceToken")
        if "/" in push.token:
            raise Refused("BadPath")
        push.environment = environment_of(request, rules.environment)
        binding = self._binding(request.peer)
        if binding.certificate is None:
            now = time.time() + rules.clock_offset_s
            admit_token(binding, self.keyring, request.value(b"authorization"), now, rules)
        check_environment(binding, push.environment)
        binding.trusted = True
        push.headers = read_headers(request)
        push.payload = payload_of(request.body, push.headers.limit)
        push.topic = topic_of(push.headers, binding)

    def _look_up(self, push: Push) -> None:
        assert push.headers is not None
        if not WELL_FORMED.fullmatch(push.token):
            raise Refused("BadDeviceToken")
        known = self._known(push)
        if known is None:
            if self.world.apns.known_tokens_only:
                raise Refused("BadDeviceToken")
            return
        if "any" not in {known.environment, push.environment} and (
            known.environment != push.environment
        ):
            raise Refused("BadDeviceToken")
        if known.topic not in {push.topic, bundle_of(push.topic, push.headers)}:
            raise Refused("DeviceTokenNotForTopic")
        if known.gone_at is not None:
            raise Refused("Unregistered", known.gone_at)

    def _known(self, push: Push) -> Token | None:
        known = self.world.tokens.get(push.token.lower())
        return known if known is not None and known.provider == "apns" else None

    # -- answering ---------------------------------------------------------------------------------

    def _answer(self, push: Push, rule: Rule | None, refusal: Refused | None) -> Answer:
        push_id = push.headers.push_id if push.headers else None
        headers = [("apns-id", push_id or str(uuid.uuid4()))]
        if refusal is not None:
            status = STATUS.get(refusal.reason, 400)
            gone_ms = int((refusal.gone_at or time.time() - HOUR) * 1000)
            body = body_of(refusal.reason, gone_ms if status == 410 else None)
            answer = Answer(status, [*headers, ("content-type", "application/json")], body)
        else:
            if self._in_sandbox(push):
                headers.append(("apns-unique-id", str(uuid.uuid4())))
            answer = Answer(200, headers)
        return answer if rule is None else apply(rule.action, _renamed(rule.action, answer))

    def _in_sandbox(self, push: Push) -> bool:
        if push.environment != "any":
            return push.environment == "sandbox"
        known = self._known(push)
        return known is not None and known.environment == "sandbox"

    def _record(
        self, push: Push, rule: Rule | None, refusal: Refused | None, answer: Answer
    ) -> None:
        accepted = refusal is None and (rule is None or rule.action.takes_the_push)
        if refusal is not None and rule is not None and rule.action.accept:
            accepted = True
        fault = answer.fault.kind if answer.fault else None
        verdict = "accepted" if accepted else refusal.reason if refusal else fault or "refused"
        record = Record(
            number=0,
            at=time.time(),
            provider="apns",
            request=push.request,
            token=push.token,
            topic=push.topic,
            accepted=accepted,
            verdict=verdict,
            status=answer.status,
            fault=fault,
            rule=rule.name if rule else None,
            notification_id=notification_id.in_apns(push.payload),
        )
        headers = push.headers
        self.world.ledger.note(record, headers.push_id if headers else None)
        if accepted and headers is not None:
            landing = Landing("apns", push.token.lower(), push.payload, headers.collapse_id)
            self.world.land(landing)

    def _tighten(self, push: Push, answer: Answer, refusal: Refused | None) -> None:
        """Adjust the stream limit, and lose patience with a sender of bad tokens."""
        peer, rules = push.request.peer, self.world.apns
        binding = self._binding(peer)
        if refusal is None:
            binding.bad_tokens, binding.throttled = 0, False
        else:
            if rules.strict_stream_limit_after_reject and 400 <= answer.status < 500:
                binding.throttled = answer.refuse_rest = answer.status not in NOT_COUNTED
            if refusal.reason == "BadDeviceToken":
                binding.bad_tokens += 1
            limit = rules.disconnect_after_bad_tokens
            answer.hang_up = 0 < limit <= binding.bad_tokens
        answer.max_streams = self.link(peer).max_streams

    def _binding(self, peer: Peer) -> Binding:
        if peer.memory is None:
            certificate = read_certificate(peer.certificate) if peer.certificate else None
            peer.memory = Binding(certificate=certificate, trusted=certificate is not None)
        assert isinstance(peer.memory, Binding)
        return peer.memory


def payload_of(body: bytes, limit: int) -> dict[str, Any]:
    """Return the payload as an object, or refuse it."""
    if not body:
        raise Refused("PayloadEmpty")
    if len(body) > limit:
        raise Refused("PayloadTooLarge")
    try:
        payload = json.loads(body)
    except ValueError as error:
        raise Refused("PayloadEmpty") from error
    if not isinstance(payload, dict):
        raise Refused("PayloadEmpty")
    return payload


def environment_of(request: Request, setting: str) -> str:
    """Return the environment asked for: by setting, else by the host name the client used."""
    if setting != "any":
        return setting
    host = request.value(b":authority") or request.value(b"host") or ""
    if "sandbox." in host or "development." in host:
        return "sandbox"
    return "production" if host.startswith("api.push.apple.com") else "any"


def scripted(action: Action) -> Refused | None:
    """Return the refusal a rule asks for, if it asks for one."""
    reason = action.reason
    if reason is None and action.status is not None and action.status >= 400:
        reason = USUAL.get(action.status, "InternalServerError")
    if reason is None:
        return None
    gone_at: float | None = None
    if isinstance(action.timestamp, int):
        gone_at = action.timestamp / 1000
    elif action.timestamp is not None:
        gone_at = time.time() + (HOUR if action.timestamp == "future" else -HOUR)
    return Refused(reason, gone_at)


def _renamed(action: Action, answer: Answer) -> Answer:
    """Spoil the apns-id the way the rule asks."""
    others = [pair for pair in answer.headers if pair[0] != "apns-id"]
    push_id = dict(answer.headers)["apns-id"]
    match action.apns_id:
        case "missing":
            answer.headers = others
        case "upper":
            answer.headers = [("apns-id", push_id.upper()), *others]
        case "other":
            answer.headers = [("apns-id", str(uuid.uuid4())), *others]
    return answer
