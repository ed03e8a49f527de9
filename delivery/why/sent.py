"""What became of one firing on one install: recorded, waiting, or not begun."""

from collections.abc import Iterator, Mapping
from typing import Any

from delivery import capping
from delivery.models import Batch, Occurrence
from delivery.why.evidence import Planned, Recorded
from delivery.why.findings import Case, Finding, Reason, moment

State = Occurrence.State

ENDED = {
    "rejected": (Reason.REJECTED, "{provider} refused it: {why}."),
    "unregistered": (Reason.UNREGISTERED, "{provider} called the device token dead: {why}."),
    "expired": (Reason.EXPIRED, "It expired before it could be sent: {why}."),
    "cancelled": (Reason.CANCELLED, "It was cancelled before it was sent: {why}."),
    "uncertain": (
        Reason.UNCERTAIN,
        "It was sent and no answer came: {why}. It may have arrived, and was not sent again.",
    ),
}
PROVIDERS = {"apns": "Apple", "apns_voip": "Apple", "fcm": "Google"}


def of_firing(case: Case, firing: Occurrence) -> Iterator[Finding]:
    """Give what became of one firing on this install; nothing where it was none of its business."""
    recorded = case.outcomes(firing)
    for line in recorded:
        yield _ended(case, firing, line)
    settled = {line.token_id for line in recorded}
    waiting = [(batch, id_) for batch, id_ in case.planned(firing) if id_ not in settled]
    for batch, token_id in waiting:
        if batch.state != Batch.State.DONE:
            yield _waits(case, firing, batch, token_id)
    if firing.zone in {"", case.zone} and not recorded and not waiting:
        yield from _not_begun(firing, case)


def _ended(case: Case, firing: Occurrence, line: Recorded) -> Finding:
    transport = case.transport_of(line.token_id)
    provider = PROVIDERS.get(transport, "The provider")
    evidence = {
        **moment(firing),
        "token": line.token_id,
        "transport": transport or "of a token since deleted",
        "verdict": line.verdict,
        "providerReason": line.reason,
        "pushId": line.push_id(transport),
        "at": line.at,
    }
    if line.verdict == "accepted":
        return _accepted(case, provider, evidence)
    if line.verdict == "capped":
        return _capped(case, line, {**moment(firing), "token": line.token_id})
    reason, said = ENDED[line.verdict]
    return Finding(
        reason=reason,
        said=said.format(provider=provider, why=line.reason or "no reason was given"),
        evidence=evidence,
    )


def _accepted(case: Case, provider: str, evidence: Mapping[str, Any]) -> Finding:
    if case.receipts:
        kinds = " and ".join(
            f"{kind} at {at:%Y-%m-%d %H:%M:%S} UTC" for kind, at in case.receipts.items()
        )
        return Finding(
            reason=Reason.CONFIRMED,
            said=f"{provider} took it, and the device says it was {kinds}.",
            evidence={**evidence, **case.receipts},
        )
    return Finding(
        reason=Reason.UNCONFIRMED,
        said=(
            f"{provider} took it, and the device never told us of it. It may be switched off, have"
            " notifications turned off in its system settings, or have shown it to nobody."
        ),
        evidence=evidence,
    )


def _capped(case: Case, line: Recorded, evidence: Mapping[str, Any]) -> Finding:
    """Give what held it back; cap and window are today's, the reason says what they were then."""
    app = case.notification.app
    since = line.at - app.cap_window
    slots = [
        {"notification": slot.notification_id, "occurrence": slot.occurrence_id, "at": slot.at}
        for slot in case.slots
        if since < slot.at <= line.at
    ]
    return Finding(
        reason=Reason.CAPPED,
        said=(
            "It was held back by the app's cap on bulk pushes: this device had had"
            f" {line.reason or 'as many as it may'}."
        ),
        evidence={
            **evidence,
            "verdict": line.verdict,
            "reason": line.reason,
            "at": line.at,
            "cap": app.cap_pushes,
            "window": capping.spell(app.cap_window),
            "slots": slots,
        },
    )


def _waits(case: Case, firing: Occurrence, batch: Planned, token_id: int) -> Finding:
    sending = batch.state == Batch.State.SENDING
    why = "a worker is at it" if sending else batch.last_reason or "it waits for a worker"
    return Finding(
        reason=Reason.WAITING,
        said=f"It is not sent yet: {why}.",
        evidence={
            **moment(firing),
            "token": token_id,
            "transport": case.transport_of(token_id),
            "batch": batch.batch_id,
            "lane": batch.lane,
            "attempts": batch.attempts,
            "nextAttemptAt": batch.next_attempt_at,
        },
    )


def _not_begun(firing: Occurrence, case: Case) -> Iterator[Finding]:
    """Give why a firing has nothing for anybody, where it has not."""
    state = Occurrence.State(firing.state)
    if state is State.SKIPPED:
        said = "Its firing was skipped: whoever should have fired it came too late."
        yield Finding(reason=Reason.SKIPPED, said=said, evidence=moment(firing))
    elif state is State.CANCELLED:
        said = "It was cancelled before it fired."
        yield Finding(reason=Reason.CANCELLED, said=said, evidence=moment(firing))
    elif state is State.DUE and firing.due_at > case.now:
        said = f"Its moment has not come: it is due at {firing.due_at:%Y-%m-%d %H:%M:%S} UTC."
        yield Finding(reason=Reason.SCHEDULED, said=said, evidence=moment(firing))
    elif state in {State.DUE, State.PLANNING}:
        said = "It is due, and its audience is still being looked up."
        yield Finding(reason=Reason.WAITING, said=said, evidence=moment(firing))
