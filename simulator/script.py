"""How the simulator should misbehave: rules, which requests they fit, and what then happens."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from simulator.action import Action, action_of
from simulator.settings import Unfit

PROVIDERS = {"apns", "fcm", "oauth"}
# a rule that names no provider is about pushes, not about the token endpoint
PUSHES = {"apns": "apns", "fcm": "fcm", "oauth": None}
MATCH_KEYS = {"provider", "token", "token_prefix", "topic", "project", "connection"}
RULE_KEYS = {"id", "match", "after", "every", "times", "probability", "seed", "action"}


@dataclass(frozen=True, slots=True)
class Subject:
    """The request a rule is asked about; `topic` is the project on Google's side."""

    provider: str
    token: str
    topic: str
    connection: int


@dataclass(slots=True)
class Rule:
    """A match, how often to act on it, and the action."""

    name: str
    match: dict[str, Any]
    action: Action
    after: int = 0
    every: int = 1
    times: int | None = None
    probability: float = 1.0
    dice: random.Random = field(default_factory=random.Random)
    document: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    hits: int = 0

    def fires(self, subject: Subject) -> bool:
        """Say whether to act on this request; each matching request counts once."""
        if not self._fits(subject) or (self.times is not None and self.hits >= self.times):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.seen - self.after) % self.every:
            return False
        if self.probability < 1.0 and self.dice.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def _fits(self, subject: Subject) -> bool:
        match = self.match
        return (
            match.get("provider", PUSHES[subject.provider]) == subject.provider
            and match.get("token", subject.token) == subject.token
            and match.get("topic", subject.topic) == subject.topic
            and match.get("project", subject.topic) == subject.topic
            and match.get("connection", subject.connection) == subject.connection
            and subject.token.startswith(match.get("token_prefix", ""))
        )

    def as_json(self) -> dict[str, Any]:
        """Return the rule as it was given, and how often it matched and acted."""
        return self.document | {"id": self.name, "seen": self.seen, "hits": self.hits}


class Script:
    """The rules in force. A rule naming the token is asked before the others, then in order."""

    def __init__(self) -> None:
        self.named: dict[str, list[Rule]] = {}
        self.general: list[Rule] = []
        self.numbers = 0

    def __iter__(self) -> Iterator[Rule]:
        for rules in self.named.values():
            yield from rules
        yield from self.general

    def pick(self, subject: Subject) -> Rule | None:
        """Return the first rule that fires for this request."""
        for rule in self.named.get(subject.token, ()):
            if rule.fires(subject):
                return rule
        for rule in self.general:
            if rule.fires(subject):
                return rule
        return None

    def add(self, documents: Any) -> list[str]:
        """Append rules written as JSON, all or none, and return their ids."""
        if not isinstance(documents, list):
            raise Unfit("rules must be a list")
        rules = [self._read(document) for document in documents]
        for rule in rules:
            token = rule.match.get("token")
            (self.general if token is None else self.named.setdefault(token, [])).append(rule)
        return [rule.name for rule in rules]

    def clear(self) -> None:
        """Forget every rule."""
        self.named.clear()
        self.general.clear()

    def _read(self, document: Any) -> Rule:
        if not isinstance(document, dict) or not document.keys() <= RULE_KEYS:
            raise Unfit(f"a rule is an object with keys among {sorted(RULE_KEYS)}")
        self.numbers += 1
        every, after = _whole(document, "every", 1), _whole(document, "after", 0)
        probability = document.get("probability", 1.0)
        if every < 1 or not isinstance(probability, int | float) or not 0 <= probability <= 1:
            raise Unfit("every must be at least 1 and probability between 0 and 1")
        return Rule(
            name=str(document.get("id", f"rule-{self.numbers}")),
            match=_match(document.get("match", {})),
            action=action_of(document.get("action")),
            after=after,
            every=every,
            times=None if document.get("times") is None else _whole(document, "times", 0),
            probability=float(probability),
            dice=random.Random(document.get("seed", 0)),  # noqa: S311  # repeatable, not secret
            document=document,
        )


def _match(match: Any) -> dict[str, Any]:
    if not isinstance(match, dict) or not match.keys() <= MATCH_KEYS:
        raise Unfit(f"match is an object with keys among {sorted(MATCH_KEYS)}")
    if match.get("provider", "apns") not in PROVIDERS:
        raise Unfit(f"provider must be one of {sorted(PROVIDERS)}")
    return match


def _whole(document: dict[str, Any], name: str, default: int) -> int:
    value = document.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Unfit(f"{name} must be a whole number")
    return value
