"""Occurrence → batches or inboxes: the audience is streamed once, in key order, never loaded."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from crm import clock
from delivery import context, metrics, tracing
from delivery.audience import Audience
from delivery.models import Notification, Occurrence
from delivery.scheduling.claims import (
    DEFERRED,
    finish_occurrence,
    give_up_planning,
    put_off_planning,
    take_occurrence,
)
from delivery.statement import UNSYNCED, fetch_row
from delivery.targeting.credentials import FITTING
from delivery.targeting.query import Query, named
from delivery.targeting.resolve import Clock, inboxes, reachable, walks

log = logging.getLogger(__name__)

CREDENTIAL = FITTING.format(
    app="%(app)s", transport="s.transport", environment="s.environment", topic="s.topic"
)

# One statement a page: the row's lock keeps a second planner, after a lost lease, from planning the
# same page, and the cursor moves with what was stored. Counters are moved, never set: workers
# record outcomes of the pages before this one. A page is on the disk before anything of it leaves:
# the claim of a batch is waited for, and takes it along.
PAGE = """
WITH mine AS (
    SELECT id FROM delivery_occurrence
     WHERE id = %(occurrence)s AND state = 'planning' AND cursor = %(cursor)s
       FOR UPDATE
), page AS MATERIALIZED (
    SELECT * FROM ({audience}) a
     WHERE a.id > %(cursor)s AND EXISTS (SELECT FROM mine) ORDER BY a.id LIMIT %(size)s
), {stored}, sums AS (
    SELECT (SELECT count(*) FROM page) AS people, (SELECT max(id) FROM page) AS last,
           (SELECT count(*) FROM stored) AS stored
)
UPDATE delivery_occurrence o
   SET cursor = coalesce(sums.last, o.cursor),
       state = CASE WHEN sums.people < %(size)s THEN 'sending' ELSE 'planning' END,
       lease_until = CASE WHEN sums.people < %(size)s THEN NULL ELSE %(until)s END,
       {moves}
  FROM mine, sums
 WHERE o.id = mine.id
RETURNING sums.people, sums.last, sums.stored, {unsynced}
"""

BATCHES = f"""slices AS (
    SELECT transport, environment, topic, array_agg(id ORDER BY id) AS token_ids
      FROM (SELECT page.*, row_number() OVER (
                PARTITION BY transport, environment, topic ORDER BY id) - 1 AS place
              FROM page) numbered
     GROUP BY transport, environment, topic, place / %(batch)s
), stored AS (
    INSERT INTO delivery_batch
           (occurrence_id, app_id, credential_id, transport, environment, topic, lane, token_ids)
    SELECT %(occurrence)s, %(app)s, ({CREDENTIAL}), transport, environment, topic, %(lane)s,
           token_ids
      FROM slices s
    RETURNING 1
)"""

INBOXES = """own AS (
    SELECT v.key AS uid, v.value
      FROM delivery_notification n, jsonb_each(n.user_meta) v WHERE n.id = %(notification)s
), stored AS (
    INSERT INTO delivery_inboxitem (notification_id, user_id, values)
    SELECT %(notification)s, page.id, coalesce(own.value, '{}')
      FROM page JOIN crm_user u ON u.id = page.id LEFT JOIN own ON own.uid = u.uid
        ON CONFLICT (notification_id, user_id) DO NOTHING
    RETURNING 1
)"""

STORED = {
    Notification.Kind.PUSH: (BATCHES, "targeted = o.targeted + sums.people"),
    # an inbox takes what it is given
    Notification.Kind.IN_APP: (
        INBOXES,
        "targeted = o.targeted + sums.stored, accepted = o.accepted + sums.stored",
    ),
}
"""What a page is stored as, and which counters move by how much."""

KEPT = "audience"
"""A temporary table: an audience larger than a page is looked up once and not once a page."""


ROOM = "64MB"
"""What Postgres may keep in memory to join a large audience; its usual 4 MB send it to disk."""


def plan_batches(occurrence_id: int) -> Iterator[int]:
    """Slice an occurrence's audience into batches, yielding how many each stored page added.

    Every page commits with the cursor it reached, so that planning goes on where it stopped and
    sending starts with the first page. Safe to run twice: one planner holds the lease.
    An in-app message goes straight into the inboxes of its users, and yields nothing.
    """
    occurrence = take_occurrence(occurrence_id, now=clock.now())
    if occurrence is None:
        return
    batches = 0
    try:
        for batches in _plan_traced(occurrence):
            if batches:
                yield batches
    except Exception:
        if clock.now() < occurrence.expires_at:
            raise  # the lease ends, and planning goes on at the cursor: in time it may succeed
        log.exception("occurrence %d was never planned to its end", occurrence.pk)
        give_up_planning(occurrence.pk)
        batches = 0
    if not batches:  # else whoever pushes the last of them does
        finish_occurrence(occurrence.pk)


def put_off(occurrence_id: int) -> bool:
    """Leave the rest of an audience to whoever looks next, where planning can go on from anywhere.

    False where it cannot, or nothing is left to plan: what was looked up once stays with us.
    """
    found = Occurrence.objects.select_related("notification").defer(*DEFERRED)
    occurrence = found.filter(pk=occurrence_id).first()
    if occurrence is None:
        return False
    audience = Audience.from_json(occurrence.notification.audience)
    return _is_walk(occurrence, audience) and put_off_planning(occurrence_id)


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
    audience = Audience.from_json(occurrence.notification.audience)
    query, walks = _looked_up(occurrence, audience), _is_walk(occurrence, audience)
    few = audience.names_at_most(settings.URGENT_AUDIENCE)
    # one call cannot name so many that whoever comes first waits for the others to be looked up
    if (audience.named or 0) >= settings.PLAN_PAGE:
        query, walks = _keep(occurrence, query), True
    while (batches := _plan_page(occurrence, query, few=few, first_of_many=not walks)) is not None:
        yield batches
        if occurrence.state == Occurrence.State.SENDING:
            break
        if not walks:
            query, walks = _keep(occurrence, query), True


def _looked_up(occurrence: Occurrence, audience: Audience) -> Query:
    """Give the query for the tokens or users one firing is for."""
    notification, local = occurrence.notification, None
    if occurrence.zone:
        local = Clock(
            zone=occurrence.zone,
            notification_id=notification.pk,
            occurrence_id=occurrence.pk,
            asked_at=notification.created_at,
        )
    find = reachable if notification.kind == Notification.Kind.PUSH else inboxes
    return find(audience, app_id=notification.app_id, now=clock.now(), clock=local)


def _is_walk(occurrence: Occurrence, audience: Audience) -> bool:
    """Say whether pages come from a walk along an index, which may begin anywhere."""
    notification = occurrence.notification
    if occurrence.zone or notification.kind != Notification.Kind.PUSH:
        return False
    return walks(audience)


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


def _plan_page(
    occurrence: Occurrence, query: Query, *, few: bool, first_of_many: bool
) -> int | None:
    """Store one page and give its batches; None where the occurrence is no longer ours to plan."""
    notification, began_at = occurrence.notification, monotonic()
    until = clock.now() + settings.BATCH_LEASE
    sql, params = _page(occurrence, query, until=until)
    if few:
        row = fetch_row(sql, params)
    else:
        # planned anew for each: what is cheapest depends on how many a rule is true of
        with transaction.atomic(), connection.cursor() as cursor:
            if first_of_many:
                _make_room(cursor)
            cursor.execute(sql, params)
            row = cursor.fetchone()
    if row is None:
        return None
    people, last, stored, _ = row
    over = people < settings.PLAN_PAGE
    occurrence.cursor = last or occurrence.cursor
    occurrence.state = Occurrence.State.SENDING if over else Occurrence.State.PLANNING
    occurrence.lease_until = None if over else until
    metrics.PLANNED.labels(notification.lane).inc(people)
    metrics.PAGE_SECONDS.labels(notification.lane).observe(monotonic() - began_at)
    return stored if notification.kind == Notification.Kind.PUSH else 0


def _page(occurrence: Occurrence, query: Query, *, until: datetime) -> tuple[str, dict[str, Any]]:
    (audience, values), notification = named(query), occurrence.notification
    stored, moves = STORED[Notification.Kind(notification.kind)]
    sql = PAGE.format(audience=audience, stored=stored, moves=moves, unsynced=UNSYNCED)
    return sql, {
        **values,
        "occurrence": occurrence.pk,
        "notification": notification.pk,
        "app": notification.app_id,
        "lane": notification.lane,
        "cursor": occurrence.cursor,
        "size": settings.PLAN_PAGE,
        "batch": settings.BATCH_SIZE,
        "until": until,
    }
