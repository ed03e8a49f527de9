"""Totals over all firings, at a price that does not grow with their number.

Firings at work are few and added up when somebody asks. Finished ones are added to one row, once
each, and marked: in the transaction that adds them. One whose outcomes do not add up is never added
and so stays to be seen, among those that wait.
"""

from collections.abc import Mapping
from datetime import timedelta
from time import monotonic

from django.db import connection, transaction
from django.db.models import Max

from crm import clock
from delivery.models import Delivery, HourTally, Notification, Occurrence, Open, Tally

AT_ONCE = 5_000
"""Firings added in one transaction: a fraction of a second."""

OPENS_AT_ONCE = 50_000

TURN = 2.0
"""Seconds one round goes on while there are more."""

MOST = 100_000
"""Firings added up at most for one question."""

COUNTED = ("targeted", *Delivery.Verdict.values, "replayed")
SETTLED = " + ".join(f"o.{verdict}" for verdict in Delivery.Verdict.values)
TABLE, HOURS, OCCURRENCES, NOTIFICATIONS, OPENS = (
    model._meta.db_table  # noqa: SLF001 - public
    for model in (Tally, HourTally, Occurrence, Notification, Open)
)

SETTLES = timedelta(minutes=1)
"""After so long no transaction is under way that took an id seen before: none is given so long."""

# S608: names of columns and tables alone
ADD = f"""
WITH ripe AS (
    SELECT id FROM {OCCURRENCES} o
     WHERE state = 'finished' AND NOT tallied AND targeted = {SETTLED}
     ORDER BY id
     LIMIT %s
       FOR NO KEY UPDATE SKIP LOCKED
), added AS (
    UPDATE {OCCURRENCES} o SET tallied = true FROM ripe WHERE o.id = ripe.id
    RETURNING o.notification_id, date_trunc('hour', coalesce(o.started_at, o.due_at)) AS hour,
              {", ".join(f"o.{name}" for name in COUNTED)}
), by_hour AS (
    INSERT INTO {HOURS} AS h (app_id, hour, occurrences, {", ".join(COUNTED)})
    SELECT n.app_id, a.hour, count(*), {", ".join(f"sum(a.{name})" for name in COUNTED)}
      FROM added a JOIN {NOTIFICATIONS} n ON n.id = a.notification_id
     GROUP BY n.app_id, a.hour
     ORDER BY n.app_id, a.hour
        ON CONFLICT (app_id, hour) DO UPDATE
       SET occurrences = h.occurrences + excluded.occurrences,
           {", ".join(f"{name} = h.{name} + excluded.{name}" for name in COUNTED)}
)
INSERT INTO {TABLE} AS t (id, occurrences, {", ".join(COUNTED)})
SELECT 1, count(*), {", ".join(f"coalesce(sum({name}), 0)" for name in COUNTED)} FROM added
HAVING count(*) > 0
    ON CONFLICT (id) DO UPDATE
   SET occurrences = t.occurrences + excluded.occurrences,
       {", ".join(f"{name} = t.{name} + excluded.{name}" for name in COUNTED)}
RETURNING 1
"""  # noqa: S608

ADD_OPENS = f"""
INSERT INTO {HOURS} AS h (app_id, hour, opened)
SELECT n.app_id, date_trunc('hour', greatest(o.opened_at, n.created_at)) AS hour, count(*)
  FROM {OPENS} o JOIN {NOTIFICATIONS} n ON n.id = o.notification_id
 WHERE o.id > %s AND o.id <= %s
 GROUP BY 1, 2
 ORDER BY 1, 2
    ON CONFLICT (app_id, hour) DO UPDATE SET opened = h.opened + excluded.opened
"""  # noqa: S608

# one statement, one snapshot: what moves from one part to another meanwhile is in one of them
SUMS = f"""
WITH live AS (
    (SELECT o.* FROM {OCCURRENCES} o WHERE state = 'sending' ORDER BY id LIMIT {MOST})
    UNION ALL
    (SELECT o.* FROM {OCCURRENCES} o WHERE state IN ('due', 'planning') AND state = 'planning'
      LIMIT {MOST})
    UNION ALL
    (SELECT o.* FROM {OCCURRENCES} o WHERE state = 'finished' AND NOT tallied
      ORDER BY id LIMIT {MOST})
)
SELECT {
    ", ".join(
        f"coalesce((SELECT {name} FROM {TABLE} WHERE id = 1), 0) + coalesce(sum(o.{name}), 0)"
        for name in COUNTED
    )
},
       count(*) FILTER (WHERE o.state = 'finished' AND o.targeted <> {SETTLED}
                           OR o.targeted < {SETTLED})
  FROM live o
"""  # noqa: S608


def add_finished() -> None:
    """Add what has finished since the last time; as many rounds as fit into a turn."""
    began_at = monotonic()
    while _add() and monotonic() - began_at < TURN:
        pass


def _add() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(ADD, [AT_ONCE])
        return bool(cursor.rowcount > 0)


def add_opens() -> None:
    """Add the opens that were there a minute ago, a bounded number at a time."""
    Tally.objects.get_or_create(pk=1)
    began_at = monotonic()
    while _add_opens() and monotonic() - began_at < TURN:
        pass


@transaction.atomic
def _add_opens() -> bool:
    """Give whether there is more to add now."""
    now = clock.now()
    tally = Tally.objects.select_for_update(no_key=True).get(pk=1)
    settled = tally.opens_seen_at is not None and now - tally.opens_seen_at >= SETTLES
    if settled and tally.opens_added < tally.opens_seen:
        last = min(tally.opens_seen, tally.opens_added + OPENS_AT_ONCE)
        with connection.cursor() as cursor:
            cursor.execute(ADD_OPENS, [tally.opens_added, last])
        tally.opens_added = last
    if tally.opens_added == tally.opens_seen and (settled or tally.opens_seen_at is None):
        tally.opens_seen = Open.objects.aggregate(last=Max("pk", default=0))["last"]
        tally.opens_seen_at = now
    tally.save(update_fields=["opens_added", "opens_seen", "opens_seen_at"])
    return settled and tally.opens_added < tally.opens_seen and tally.opens_seen_at != now


def sums() -> Mapping[str, int]:
    """Give the totals of all firings, and how many are `not_conserved`."""
    with connection.cursor() as cursor:
        cursor.execute(SUMS)
        row = cursor.fetchone()
    return dict(zip((*COUNTED, "not_conserved"), map(int, row), strict=True))
