"""Occurrence → batches or inboxes: the audience is streamed once, in key order, never loaded."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import F

from crm import clock
from delivery import context, metrics, tracing
from delivery.audience import Audience
from delivery.models import Notification, Occurrence
from delivery.scheduling.claims import (
    UNREAD,
    finish_occurrence,
    give_up_planning,
    put_off_planning,
    take_occurrence,
)
from delivery.targeting.credentials import FITTING
from delivery.targeting.query import Query
from delivery.targeting.resolve import Clock, inboxes, reachable, walks

log = logging.getLogger(__name__)

CREDENTIAL = FITTING.format(
    app="%s", transport="s.transport", environment="s.environment", topic="s.topic"
)

BATCHES = """
WITH page AS (
    SELECT t.*, row_number() OVER (
        PARTITION BY transport, environment, topic ORDER BY id) - 1 AS place
      FROM (SELECT * FROM ({audience}) a WHERE a.id > %s ORDER BY a.id LIMIT %s) t
), slices AS (
    SELECT transport, environment, topic, array_agg(id ORDER BY id) AS token_ids
      FROM page GROUP BY transport, environment, topic, place / %s
), planned AS (
    INSERT INTO delivery_batch
           (occurrence_id, app_id, credential_id, transport, environment, topic, lane, token_ids)
    SELECT %s, %s, ({credential}), transport, environment, topic, %s, token_ids
      FROM slices s
    RETURNING 1
)
SELECT (SELECT count(*) FROM page), (SELECT max(id) FROM page), (SELECT count(*) FROM planned)
"""

INBOXES = """
WITH page AS (
    SELECT * FROM ({audience}) a WHERE a.id > %s ORDER BY a.id LIMIT %s
), own AS (
    SELECT v.key AS uid, v.value
      FROM delivery_notification n, jsonb_each(n.user_meta) v WHERE n.id = %s
), stored AS (
    INSERT INTO delivery_inboxitem (notification_id, user_id, values)
    SELECT %s, page.id, coalesce(own.value, '{{}}')
      FROM page JOIN crm_user u ON u.id = page.id LEFT JOIN own ON own.uid = u.uid
        ON CONFLICT (notification_id, user_id) DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM page), (SELECT max(id) FROM page), (SELECT count(*) FROM stored)
"""

KEPT = "audience"
"""A temporary table: an audience larger than a page is looked up once and not once a page."""


ROOM = "64MB"
"""What Postgres may keep in memory to join a large audience; its usual 4 MB send it to disk."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one page of an audience became."""

    people: int  # tokens or users looked at; fewer than a page's size is the end
    last: int | None
    stored: int  # batches, or inboxes the message was put into


def plan_batches(occurrence_id: int) -> Iterator[int]:
    """Slice an occurrence's audience into batches, yielding how many each stored page added.

    Every page commits with the cursor it reached, so that planning goes on where it stopped and
    sending starts with the first page. Safe to run twice: one planner holds the lease.
    An in-app message goes straight into the inboxes of its users, and yields nothing.
    """
    occurrence = take_occurrence(occurrence_id, now=clock.now())
    if occurrence is None:
        return
    try:
        yield from _plan_traced(occurrence)
    except Exception:
        if clock.now() < occurrence.expires_at:
            raise  # the lease ends, and planning goes on at the cursor: in time it may succeed
        log.exception("occurrence %d was never planned to its end", occurrence.pk)
        give_up_planning(occurrence.pk)
    finish_occurrence(occurrence.pk)


def put_off(occurrence_id: int) -> bool:
    """Leave the rest of an audience to whoever looks next, where planning can go on from anywhere.

    False where it cannot, or nothing is left to plan: what was looked up once stays with us.
    """
    found = Occurrence.objects.select_related("notification").defer(*UNREAD)
    occurrence = found.filter(pk=occurrence_id).first()
    return occurrence is not None and _is_walk(occurrence) and put_off_planning(occurrence_id)


def _plan_traced(occurrence: Occurrence) -> Iterator[int]:
    """Plan as `_plan_pages` does, told of in lines, spans and metrics."""
    notification, planned = occurrence.notification, 0
    if occurrence.cursor == 0 and occurrence.started_at is not None:
        late = occurrence.started_at - occurrence.due_at
        metrics.LATENESS.labels(notification.lane).observe(max(late.total_seconds(), 0))
    about = {"notification": notification.pk, "occurrence": occurrence.pk}
    with (
        context.about(notification.request_id, **about),
        tracing.span(
            "plan",
            parent=notification.trace_parent,
            app__id=notification.app_id,
            notification__id=notification.pk,
            occurrence__id=occurrence.pk,
        ) as told,
    ):
        for batches in _plan_pages(occurrence):
            planned += batches
            yield batches
        told.note(batches__planned=planned)


def _plan_pages(occurrence: Occurrence) -> Iterator[int]:
    query, walks = audience_of(occurrence, now=clock.now()), _is_walk(occurrence)
    while (page := _plan_page(occurrence, query, first_of_many=not walks)) is not None:
        if page.stored and occurrence.notification.kind == Notification.Kind.PUSH:
            yield page.stored
        if occurrence.state == Occurrence.State.SENDING:
            break
        if not walks:
            query, walks = _keep(occurrence, query), True


def audience_of(occurrence: Occurrence, *, now: datetime) -> Query:
    """Give the query for the tokens or users one firing is for."""
    notification = occurrence.notification
    clock = None
    if occurrence.zone:
        clock = Clock(
            zone=occurrence.zone,
            notification_id=notification.pk,
            occurrence_id=occurrence.pk,
            asked_at=notification.created_at,
        )
    find = reachable if notification.kind == Notification.Kind.PUSH else inboxes
    audience = Audience.from_json(notification.audience)
    return find(audience, app_id=notification.app_id, now=now, clock=clock)


def _is_walk(occurrence: Occurrence) -> bool:
    """Say whether pages come from a walk along an index, which may begin anywhere."""
    notification = occurrence.notification
    if occurrence.zone or notification.kind != Notification.Kind.PUSH:
        return False
    return walks(Audience.from_json(notification.audience))


def _keep(occurrence: Occurrence, query: Query) -> Query:
    """Look the rest of an audience up once, and give the query for what was found."""
    sql, params = query
    patience = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT)
    Occurrence.objects.filter(pk=occurrence.pk).update(lease_until=clock.now() + patience)
    with transaction.atomic(), connection.cursor() as cursor:
        _make_room(cursor)
        cursor.execute(f"DROP TABLE IF EXISTS {KEPT}")  # another's, of this connection
        cursor.execute(
            f"CREATE TEMPORARY TABLE {KEPT} AS"
            f" SELECT * FROM ({sql}) a WHERE a.id > %s ORDER BY a.id",
            [*params, occurrence.cursor],
        )
        cursor.execute(f"CREATE INDEX ON {KEPT} (id)")
        cursor.execute(f"ANALYZE {KEPT}")
    return f"SELECT * FROM {KEPT}", []


def _make_room(cursor: CursorWrapper) -> None:
    cursor.execute(f"SET LOCAL work_mem = '{ROOM}'")


def _plan_page(occurrence: Occurrence, query: Query, *, first_of_many: bool = False) -> Page | None:
    """Store one page; None when the occurrence is no longer ours to plan."""
    lane, began_at = occurrence.notification.lane, monotonic()
    with transaction.atomic(), connection.cursor() as cursor:
        # the row's lock keeps a second planner, after a lost lease, from planning the same page
        mine = Occurrence.objects.select_for_update().filter(
            pk=occurrence.pk, state=Occurrence.State.PLANNING, cursor=occurrence.cursor
        )
        if not mine.exists():
            return None
        if first_of_many:
            _make_room(cursor)
        if occurrence.notification.kind == Notification.Kind.PUSH:
            cursor.execute(*_batches(occurrence, query))
            page = Page(*cursor.fetchone())
            _advance(occurrence, page, targeted=page.people)
        else:
            cursor.execute(*_inboxes(occurrence, query))
            page = Page(*cursor.fetchone())
            # an inbox takes what it is given
            _advance(occurrence, page, targeted=page.stored, accepted=page.stored)
    metrics.PLANNED.labels(lane).inc(page.people)
    metrics.PAGE_SECONDS.labels(lane).observe(monotonic() - began_at)
    return page


def _batches(occurrence: Occurrence, query: Query) -> Query:
    (sql, params), notification = query, occurrence.notification
    return BATCHES.format(audience=sql, credential=CREDENTIAL), [
        *params,
        occurrence.cursor,
        settings.PLAN_PAGE,
        settings.BATCH_SIZE,
        occurrence.pk,
        notification.app_id,
        notification.app_id,  # the credential's
        notification.lane,
    ]


def _inboxes(occurrence: Occurrence, query: Query) -> Query:
    (sql, params), notification_id = query, occurrence.notification_id
    return INBOXES.format(audience=sql), [
        *params,
        occurrence.cursor,
        settings.PLAN_PAGE,
        notification_id,
        notification_id,
    ]


def _advance(occurrence: Occurrence, page: Page, *, targeted: int, accepted: int = 0) -> None:
    over = page.people < settings.PLAN_PAGE
    occurrence.cursor = page.last or occurrence.cursor
    occurrence.state = Occurrence.State.SENDING if over else Occurrence.State.PLANNING
    occurrence.lease_until = None if over else clock.now() + settings.BATCH_LEASE
    Occurrence.objects.filter(pk=occurrence.pk).update(
        cursor=occurrence.cursor,
        state=occurrence.state,
        lease_until=occurrence.lease_until,
        # counters are moved, never set: workers record outcomes of the pages before this one
        targeted=F("targeted") + targeted,
        accepted=F("accepted") + accepted,
    )
