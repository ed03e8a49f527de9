"""What the simulator received and what it made of it: the last records in full, counts for ever."""

import json
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

from simulator.wire.messages import Headers, Request, text_of

KEEP = 100_000
NAMED_DUPLICATES = 1000
SHARED_PAIRS = 10_000
UNSHARED = {b":path", b"apns-id"}


@dataclass(slots=True)
class Record:
    """One request; bytes as they came, for little memory and honest evidence."""

    number: int
    at: float
    provider: str
    request: Request
    token: str
    topic: str
    accepted: bool
    verdict: str
    status: int
    fault: str | None
    rule: str | None
    notification_id: int | None

    def as_json(self) -> dict[str, Any]:
        """Return everything, the body parsed where it is JSON."""
        request = self.request
        return {
            "number": self.number,
            "at": self.at,
            "provider": self.provider,
            "token": self.token,
            "topic": self.topic,
            "notification_id": self.notification_id,
            "accepted": self.accepted,
            "verdict": self.verdict,
            "status": self.status,
            "fault": self.fault,
            "rule": self.rule,
            "connection": request.peer.number,
            "stream": request.stream,
            "http": request.peer.http,
            "method": request.method,
            "path": request.path,
            "headers": {text_of(name): text_of(value) for name, value in request.headers},
            "payload": _parsed(request.body),
        }


class Ledger:
    """Every request in order, and what can be counted about them."""

    def __init__(self, keep: int = KEEP) -> None:
        self.records: deque[Record] = deque(maxlen=keep)
        self.number = 0
        self.clear()

    def clear(self) -> None:
        """Forget records, counts and duplicates; numbers go on."""
        self.records.clear()
        self.answers: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[tuple[str, str]] = Counter()
        self.accepted: Counter[str] = Counter()
        self.duplicates: Counter[str] = Counter()
        self.named: dict[str, dict[str, Any]] = {}
        self._seen: set[bytes] = set()
        self._pairs: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}

    def note(self, record: Record, push_id: str | None = None) -> None:
        """Keep a record, count it, and see whether it was accepted before."""
        self.number += 1
        record.number = self.number
        record.request.headers = self._shared(record.request.headers)
        self.records.append(record)
        self.answers[record.provider, record.verdict] += 1
        if record.fault is not None:
            self.faults[record.provider, record.fault] += 1
        if record.accepted:
            self.accepted[record.provider] += 1
            if push_id:
                self._look_for_duplicate(record, "apns_id", push_id)
            if record.notification_id is not None:
                self._look_for_duplicate(record, "notification_id", str(record.notification_id))

    def select(
        self, *, provider: str | None, token: str | None, since: int, limit: int
    ) -> list[Record]:
        """Return the first records after number `since` that fit, oldest first."""
        return list(islice(self._fitting(provider, token, since), limit))

    def summary(self) -> dict[str, Any]:
        """Return the counts."""
        answers: dict[str, dict[str, int]] = {}
        for (provider, verdict), count in sorted(self.answers.items()):
            answers.setdefault(provider, {})[verdict] = count
        faults: dict[str, dict[str, int]] = {}
        for (provider, fault), count in sorted(self.faults.items()):
            faults.setdefault(provider, {})[fault] = count
        return {
            "received": sum(self.answers.values()),
            "accepted": {"apns": self.accepted["apns"], "fcm": self.accepted["fcm"]},
            "answers": answers,
            "faults": faults,
            "duplicates": {
                "by_apns_id": self.duplicates["apns_id"],
                "by_notification_id": self.duplicates["notification_id"],
                "which": list(self.named.values()),
            },
            "token_requests": sum(n for (who, _), n in self.answers.items() if who == "oauth"),
            "last_number": self.number,
        }

    def _shared(self, headers: Headers) -> Headers:
        """Return equal headers made of pairs other records hold already, to save memory."""
        pairs = self._pairs
        if len(pairs) > SHARED_PAIRS:
            pairs.clear()
        return tuple(
            pair if pair[0] in UNSHARED else pairs.setdefault(pair, pair) for pair in headers
        )

    def _fitting(self, provider: str | None, token: str | None, since: int) -> Iterator[Record]:
        for record in self.records:
            if (
                record.number > since
                and provider in {None, record.provider}
                and token in {None, record.token}
            ):
                yield record

    def _look_for_duplicate(self, record: Record, kind: str, value: str) -> None:
        key = f"{record.token}|{kind}|{value}"
        digest = blake2b(key.encode(), digest_size=12).digest()
        if digest not in self._seen:
            self._seen.add(digest)
            return
        self.duplicates[kind] += 1
        if key in self.named or len(self.named) < NAMED_DUPLICATES:
            entry = {"token": record.token, kind: value, "times": 1}
            self.named.setdefault(key, entry)["times"] += 1


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return text_of(body)
