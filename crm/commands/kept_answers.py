"""Calls under an idempotency key: done once, and answered alike however often they are asked."""

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from crm.commands.sweeping import forget
from crm.errors import Conflict, Invalid
from crm.models import App, KeptAnswer
from crm.sealing import is_marked, mark_of, seal_bytes, unseal_bytes

LARGEST = 1 << 20
"""Bytes of an answer that can be kept."""

SLICE = 5000
"""Answers one statement drops."""

MOST_SLICES = 200
"""Statements of one look; the next goes on."""

FORGET = """
WITH past AS MATERIALIZED (
    SELECT id FROM crm_keptanswer WHERE created_at < %s ORDER BY created_at LIMIT %s
       FOR UPDATE SKIP LOCKED
)
DELETE FROM crm_keptanswer kept USING past WHERE kept.id = past.id
"""


class StillRunning(Conflict):
    """The first call under this key has not come to its end."""

    def __init__(self) -> None:
        super().__init__("A request with this idempotency key is still running.")


class KeyReused(Conflict):
    """The key was used for another request before."""

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for another request.")


class AnswerTooLarge(Invalid):
    """The answer could not be given again, so nothing is done."""

    def __init__(self) -> None:
        super().__init__(
            f"The answer would be larger than the {LARGEST} bytes that are kept under an"
            " idempotency key; name fewer at once, or send no key."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call under a key of the caller's own; `ask` is all that makes it this request."""

    app: App
    door: str
    key: str
    ask: bytes


class Answer(NamedTuple):
    """Status and body; whether they are those of an earlier call."""

    status: int
    body: bytes
    replayed: bool = False


@transaction.atomic
def answer_once(call: Call, run: Callable[[], Answer]) -> Answer:
    """Run a call and keep its answer in the same transaction, or give the one that was kept.

    Where `run` raises, nothing is kept and the key is as good as new. Raises `StillRunning` while
    another call under the key is at work, `KeyReused` where the key was for another ask, and
    `AnswerTooLarge`.
    """
    held = _hold(call)
    if (kept := _find(call)) is not None:
        if not is_marked(call.ask, kept.mark):
            raise KeyReused
        return Answer(kept.status, zlib.decompress(unseal_bytes(kept.sealed)), replayed=True)
    if not held:
        raise StillRunning
    answer = run()
    _keep(call, answer)
    return answer


def forget_answers(*, now: datetime) -> int:
    """Drop answers past their time, a slice at a time; gives their number."""
    before = now - settings.IDEMPOTENCY_RETENTION
    return forget(FORGET, before, at_once=SLICE, in_all=MOST_SLICES * SLICE)


def _hold(call: Call) -> bool:
    """Take the key for this transaction, if nobody has it: its end, however it comes, frees it."""
    name = hashlib.sha256(f"{call.app.pk}:{call.door}:{call.key}".encode()).digest()
    with connection.cursor() as cursor:
        number = int.from_bytes(name[:8], signed=True)
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])


def _find(call: Call) -> KeptAnswer | None:
    # a statement of its own, after the lock: what the last holder stored is seen
    living = KeptAnswer.objects.filter(created_at__gt=Now() - settings.IDEMPOTENCY_RETENTION)
    return living.filter(app=call.app, door=call.door, key=call.key).first()


def _keep(call: Call, answer: Answer) -> None:
    if len(answer.body) > LARGEST:
        raise AnswerTooLarge
    kept = KeptAnswer(
        app=call.app,
        door=call.door,
        key=call.key,
        mark=mark_of(call.ask),
        status=answer.status,
        sealed=seal_bytes(zlib.compress(answer.body)),
    )
    # over one whose time is past and that has not been dropped yet
    KeptAnswer.objects.bulk_create(
        [kept],
        update_conflicts=True,
        unique_fields=["app", "door", "key"],
        update_fields=["mark", "status", "sealed", "created_at"],
    )
