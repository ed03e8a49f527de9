"""Occurrence → batches: the audience is streamed once, in key order, and never loaded."""

import logging
from collections.abc import Iterator

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from delivery.audience import Audience
from delivery.models import Occurrence
from delivery.scheduling.claims import finish_occurrence, give_up_planning, take_occurrence
from delivery.targeting.credentials import FITTING
from delivery.targeting.resolve import Query, reachable

log = logging.getLogger(__name__)

CREDENTIAL = FITTING.format(
    app="%s", transport="s.transport", environment="s.environment", topic="s.topic"
)

PLAN_PAGE = """
WITH page AS (
    SELECT t.*, row_number() OVER (
        PARTITION BY transport, environment, topic ORDER BY id) - 1 AS place
      FROM ({reachable} AND t.id > %s ORDER BY t.id LIMIT %s) t
), slices AS (
    SELECT transport, environment, topic, array_agg(id ORDER BY id) AS token_ids
      FROM page GROUP BY transport, environment, topic, place / %s
), planned AS (
    INSERT INTO delivery_batch
           (occurrence_id, credential_id, transport, environment, topic, lane, token_ids)
    SELECT %s, ({credential}), transport, environment, topic, %s, token_ids
      FROM slices s
    RETURNING 1
)
SELECT (SELECT count(*) FROM page), (SELECT max(id) FROM page), (SELECT count(*) FROM planned)
"""


def plan_batches(occurrence_id: int) -> Iterator[int]:
    """Slice an occurrence's audience into batches, yielding how many each stored page added.

    Every page commits with the cursor it reached, so that planning goes on where it stopped and
    sending starts with the first page. Safe to run twice: one planner holds the lease.
    """
    occurrence = take_occurrence(occurrence_id, now=timezone.now())
    if occurrence is None:
        return
    try:
        yield from _plan_pages(occurrence)
    except Exception:
        if timezone.now() < occurrence.expires_at:
            raise  # the lease ends, and planning goes on at the cursor: in time it may succeed
        log.exception("occurrence %d was never planned to its end", occurrence.pk)
        give_up_planning(occurrence.pk)
    finish_occurrence(occurrence.pk)


def _plan_pages(occurrence: Occurrence) -> Iterator[int]:
    notification = occurrence.notification
    audience = Audience.from_json(notification.audience)
    query = reachable(audience, app_id=notification.app_id)
    while (planned := _plan_page(occurrence, query)) is not None:
        if planned:
            yield planned
        if occurrence.state == Occurrence.State.SENDING:
            break


def _plan_page(occurrence: Occurrence, query: Query) -> int | None:
    """Store one page of batches; None when the occurrence is no longer ours to plan."""
    notification, (sql, params) = occurrence.notification, query
    with transaction.atomic(), connection.cursor() as cursor:
        # the row's lock keeps a second planner, after a lost lease, from planning the same page
        mine = Occurrence.objects.select_for_update().filter(
            pk=occurrence.pk, state=Occurrence.State.PLANNING, cursor=occurrence.cursor
        )
        if not mine.exists():
            return None
        cursor.execute(
            PLAN_PAGE.format(reachable=sql, credential=CREDENTIAL),
            [
                *params,
                occurrence.cursor,
                settings.PLAN_PAGE,
                settings.BATCH_SIZE,
                occurrence.pk,
                notification.app_id,
                notification.lane,
            ],
        )
        tokens, last, batches = cursor.fetchone()
        _advance(occurrence, tokens=tokens, last=last)
    return int(batches)


def _advance(occurrence: Occurrence, *, tokens: int, last: int | None) -> None:
    over = tokens < settings.PLAN_PAGE
    occurrence.cursor = last or occurrence.cursor
    occurrence.targeted += tokens
    occurrence.state = Occurrence.State.SENDING if over else Occurrence.State.PLANNING
    occurrence.lease_until = None if over else timezone.now() + settings.BATCH_LEASE
    occurrence.save(update_fields=["cursor", "targeted", "state", "lease_until"])
