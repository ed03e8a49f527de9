"""Why no firing of a notification had anything for an install: audience, zone, tokens."""

from collections.abc import Iterable, Iterator
from typing import Any

from crm.models import DeviceToken
from delivery.targeting.resolve import ORDINARY
from delivery.why.findings import Case, Finding, Reason
from delivery.why.truth import Check

RETIRED = {
    DeviceToken.State.DEAD: (Reason.DEAD, "Its device token is dead"),
    DeviceToken.State.QUARANTINED: (Reason.QUARANTINED, "Its device token is in quarantine"),
}


def left_out(case: Case, judged: Check) -> Iterator[Finding]:
    """Give why every firing that has begun went by this install."""
    if judged.holds is False:
        yield _kept_out(judged)
        return
    zones = sorted({firing.zone for firing in case.evidence.firings})
    if zones and case.zone not in zones and "" not in zones:
        yield Finding(
            reason=Reason.OTHER_ZONE,
            said=f"It fires by each device's own clock, and not in this one's zone, {case.zone}.",
            evidence={"zone": case.zone, "since": case.install.timezone_since},
        )
        return
    yield from _unreached(case)


def _kept_out(judged: Check) -> Finding:
    included, *spared = judged.parts
    if included.holds is False:
        return Finding(
            reason=Reason.NOT_IN_AUDIENCE,
            said=f"It is not in the audience. What is missing: {_said(included.broken)}.",
            evidence={"broken": [_told(check) for check in included.broken]},
        )
    broken = [check for part in spared for check in part.broken]
    return Finding(
        reason=Reason.EXCLUDED,
        said=f"It was taken out of the audience. What does not hold: {_said(broken)}.",
        evidence={"broken": [_told(check) for check in broken]},
    )


def _said(broken: Iterable[Check]) -> str:
    return "; or: ".join(check.said for check in broken)


def _told(check: Check) -> dict[str, Any]:
    return {"condition": check.said, **check.known}


def _unreached(case: Case) -> Iterator[Finding]:
    """Give what is wrong with the tokens of an install that belongs to the audience."""
    if not case.tokens:
        said = "The device never registered for pushes, or has taken its registration back."
        yield Finding(reason=Reason.NO_TOKEN, said=said)
    for token in case.tokens:
        yield _token(case, token)


def _token(case: Case, token: DeviceToken) -> Finding:
    devices = case.audience.devices or ORDINARY
    evidence = {
        "token": token.pk,
        "transport": token.transport,
        "environment": token.environment,
        "state": token.state,
        "stateReason": token.state_reason,
        "stateChangedAt": token.state_changed_at,
        "registeredAt": token.registered_at,
        "enabled": token.enabled,
    }
    fits = token.transport in devices.transports
    if not fits or devices.environment not in {"", token.environment}:
        said = f"It goes to {' and '.join(devices.transports)} {devices.environment}".rstrip()
        own = f"{token.transport} {token.environment}"
        return Finding(
            reason=Reason.OTHER_TRANSPORT, said=f"{said}; this token is {own}.", evidence=evidence
        )
    if not token.enabled:
        said = "Notifications are switched off on the device."
        return Finding(reason=Reason.DISABLED, said=said, evidence=evidence)
    if token.state != DeviceToken.State.ALIVE:
        reason, said = RETIRED[DeviceToken.State(token.state)]
        since = f"{token.state_changed_at:%Y-%m-%d %H:%M:%S} UTC"
        why = f" ({token.state_reason})" if token.state_reason else ""
        return Finding(reason=reason, said=f"{said} since {since}{why}.", evidence=evidence)
    began = min((f.started_at for f in case.evidence.firings if f.started_at), default=None)
    return Finding(
        reason=Reason.TOO_LATE,
        said=(
            "It would be reached now, and was not when the audience was looked up: the token, the"
            " person signed in or what is known of them has changed since."
        ),
        evidence={**evidence, "audienceTakenAt": began},
    )
