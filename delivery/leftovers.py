"""What the answers to a batch leave to be done, as the parts it goes back in."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from delivery.answers import Answers, stops_all
from delivery.backoff import backoff, together
from delivery.breaker import Leave
from delivery.models import Batch
from delivery.providers.contract import SIBLINGS, Environment, Outcome
from delivery.scheduling.division import Part
from delivery.targeting.credentials import find_credential

BEHIND = timedelta(seconds=1)
"""What could not be sent lets others go first, or each probe would be of the same few."""


def parts_of(batch: Batch, answers: Answers, *, later: Sequence[int]) -> list[Part]:
    """Give what is to be asked again; `later` are tokens a probe kept back."""
    return [
        *_held(answers, later),
        *_retries(batch, answers),
        *_uncertain(batch, answers),
        *_strays(batch, answers),
    ]


def unprobed(leave: Leave, *, later: Sequence[int]) -> list[Part]:
    """Give what a probe kept back that found nobody to push to: the next probe is of others."""
    if not later:
        return []
    assert leave.breaker is not None  # or nobody would have been kept back
    return [Part(later, reason=leave.breaker.reason, breaker=leave.breaker)]


def moved_parts(batch: Batch, moved: Mapping[int, str]) -> list[Part]:
    """Give a part for each environment tokens were found to be of since the batch was planned."""
    return [
        Part(
            [token_id for token_id, is_of in moved.items() if is_of == environment],
            reason=f"is of {environment}",
            environment=Environment(environment),
            credential=find_credential(batch, environment=environment),
        )
        for environment in sorted(set(moved.values()))
    ]


def _held(answers: Answers, later: Sequence[int]) -> Iterator[Part]:
    """Give what waits for a breaker, and what a probe kept back: at once, where it closed."""
    held_by = answers.finding.held_by
    stopped = [o.token_id for o in answers.again if _waits_for_breaker(o, answers)]
    if held_by is None:
        if later:
            yield Part(later)
    elif stopped or later:
        yield Part([*stopped, *later], wait=BEHIND, reason=held_by.reason, breaker=held_by)


def _waits_for_breaker(outcome: Outcome, answers: Answers) -> bool:
    return answers.finding.held_by is not None and stops_all(outcome)


def _retries(batch: Batch, answers: Answers) -> Iterator[Part]:
    """Give what waits for a time of its own: as long as our backoff and the provider want."""
    again = [o for o in answers.again if not _waits_for_breaker(o, answers)]
    reasons = {o.token_id: o.reason for o in again}
    wishes = [(o.token_id, o.retry_after) for o in again]
    for wait, ids in together(wishes, ours=backoff(batch.tries + 1)):
        yield Part(ids, wait=wait, reason=reasons[ids[0]], tried=True)


def _uncertain(batch: Batch, answers: Answers) -> Iterator[Part]:
    """Give what is sent once more though it may have arrived."""
    if answers.unsure:
        ids, reason = [o.token_id for o in answers.unsure], answers.unsure[0].reason
        yield Part(ids, wait=backoff(batch.tries + 1), reason=reason, tried=True, resent=True)


def _strays(batch: Batch, answers: Answers) -> Iterator[Part]:
    """Give what is tried in the other environment, at once."""
    if answers.moving:
        yield Part(
            [o.token_id for o in answers.moving],
            reason=answers.moving[0].reason,
            environment=SIBLINGS[Environment(batch.environment)],
            credential=answers.there,
        )
