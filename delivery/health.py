"""How each credential fares at its provider, five minutes by five minutes, for a day: for people.

Kept in the broker's store and lost with it: what must not be lost is in the ledger. A process adds
its figures up and writes them down within a second, on a thread of its own, so that no push waits.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from redis import RedisError

from delivery.forbearance import Forbearing, store
from delivery.providers.contract import Verdict

SLOT = timedelta(minutes=5)
KEPT = timedelta(hours=25)
EVERY = 1.0
"""Seconds after which what was noted is written down."""

BOUNDS_MS = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"""Milliseconds to the first answer of a batch, as they are told apart."""

TAKEN = Verdict.ACCEPTED.value


@dataclass(frozen=True, kw_only=True, slots=True)
class Spell:
    """How one credential fared in one slot; `answers` by verdict, `waits` by upper bound in ms."""

    began_at: datetime
    answers: Mapping[str, int]
    waits: Mapping[int, int]

    @property
    def asked(self) -> int:
        """All answers there were."""
        return sum(self.answers.values())

    @property
    def accept_rate(self) -> float | None:
        """The share of answers that took the push; None where there were none."""
        return self.answers.get(TAKEN, 0) / self.asked if self.asked else None


class Health(Forbearing):
    """What one process has seen and not written down yet, and the way to what all have written."""

    def __init__(self) -> None:
        super().__init__(instead="nobody keeps how providers fare meanwhile")
        self._lock = threading.Lock()
        self._seen: dict[tuple[int, int], Counter[str]] = {}

    def note(self, credential_id: int, said: Mapping[str, int], *, first: float) -> None:
        """Note the answers to one batch, and the seconds to the first of them."""
        slot = int(datetime.now(UTC).timestamp() // SLOT.total_seconds())
        with self._lock:
            if not self._seen:  # the first since the last writing
                timer = threading.Timer(EVERY, self.write)
                timer.daemon = True
                timer.start()
            counts = self._seen.setdefault((credential_id, slot), Counter())
            counts.update(said)
            counts[f"<{_bound(first * 1000)}"] += 1

    def write(self) -> None:
        """Write down what was noted; while the store is away that is let go."""
        with self._lock:
            seen, self._seen = self._seen, {}
        if not seen:
            return
        with self._unless_it_rests() as rests:
            if rests:
                return
            pipeline = store(settings.REDIS_URL).pipeline(transaction=False)
            for (credential_id, slot), counts in seen.items():
                key = _key(credential_id, slot)
                for name, count in counts.items():
                    pipeline.hincrby(key, name, count)
                pipeline.expire(key, KEPT)
            pipeline.execute()


def spells(
    credential_ids: Iterable[int], *, now: datetime, back: timedelta
) -> Mapping[int, Sequence[Spell]]:
    """Give how each credential fared since `back`, oldest first, a spell for every slot.

    Nothing at all where the store does not answer.
    """
    ids = list(credential_ids)
    last = int(now.timestamp() // SLOT.total_seconds())
    slots = range(last - int(back / SLOT) + 1, last + 1)
    with suppress(RedisError):
        pipeline = store(settings.REDIS_URL).pipeline(transaction=False)
        for credential_id in ids:
            for slot in slots:
                pipeline.hgetall(_key(credential_id, slot))
        found: Iterator[dict[bytes, bytes]] = iter(pipeline.execute() if ids else [])
        return {id_: [_spell(slot, next(found)) for slot in slots] for id_ in ids}
    return {}


def quantile(found: Iterable[Spell], share: float) -> int | None:
    """Give the milliseconds within which this share of batches had an answer; None without any.

    It is the upper bound of a class: 25 says between 10 and 25.
    """
    waits: Counter[int] = Counter()
    for spell in found:
        waits.update(spell.waits)
    passed, all_ = 0, sum(waits.values())
    for bound in sorted(waits):
        passed += waits[bound]
        if passed >= all_ * share:
            return bound
    return None


def _spell(slot: int, found: Mapping[bytes, bytes]) -> Spell:
    counts = {name.decode(): int(count) for name, count in found.items()}
    return Spell(
        began_at=datetime.fromtimestamp(slot * SLOT.total_seconds(), UTC),
        answers={name: count for name, count in counts.items() if name[0] != "<"},
        waits={int(name[1:]): count for name, count in counts.items() if name[0] == "<"},
    )


def _bound(ms: float) -> int:
    return next((bound for bound in BOUNDS_MS if ms <= bound), BOUNDS_MS[-1])


def _key(credential_id: int, slot: int) -> str:
    return f"gateway:health:{credential_id}:{slot}"


health = Health()
"""The one of this process."""
