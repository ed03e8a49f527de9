"""Segments → the query for their members; what their rules say of pushes is answered here."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from crm.models import Segment
from crm.segments.compile import compile_rule
from crm.segments.rules import Rule, parse
from delivery.targeting.query import Query

NOBODY = "SELECT NULL::int AS user_id, NULL::bigint AS install_id WHERE false"

OPENED = """SELECT o.{who} FROM delivery_notification n
  JOIN delivery_open o ON o.notification_id = n.id
 WHERE n.app_id = %s AND n.id = ANY(%s::int[])"""

# outcomes go to the day their firing was due; partitions of earlier days are not even opened
FIRST_DAY = """SELECT min(o.ledger_day) FROM delivery_notification n
  JOIN delivery_occurrence o ON o.notification_id = n.id
       AND (o.finished_at IS NULL OR o.finished_at >= %s)
 WHERE n.app_id = %s"""

ACCEPTED = f"""SELECT d.install_id FROM delivery_notification n
  JOIN delivery_occurrence o ON o.notification_id = n.id
       AND (o.finished_at IS NULL OR o.finished_at >= %s)
  JOIN delivery_delivery d ON d.day = o.ledger_day AND d.occurrence_id = o.id
       AND d.at >= %s AND d.verdict = 'accepted' AND d.day >= ({FIRST_DAY})
 WHERE n.app_id = %s"""

COUNT = """
WITH m AS MATERIALIZED ({members})
SELECT (SELECT count(DISTINCT user_id) FROM m), (SELECT count(install_id) FROM m),
       (SELECT count(*) FROM m JOIN crm_devicetoken t ON t.install_id = m.install_id
         WHERE t.app_id = %s AND t.state = 'alive' AND t.enabled AND t.transport IN ('apns', 'fcm'))
"""


class Counts(NamedTuple):
    """How many people a rule is true of, on how many installs; how many devices a push reaches."""

    users: int
    installs: int
    reachable: int


def members(segment_ids: Sequence[int], *, app_id: int, now: datetime) -> Query:
    """Give SQL for the (user_id, install_id) pairs in any of an app's segments, each once or more.

    `install_id` is NULL for a user without installs. A segment that is gone has no members.
    """
    segments = Segment.objects.filter(app_id=app_id, pk__in=segment_ids).order_by("pk")
    parts = [
        compile_rule(parse(rule), app_id=app_id, now=now, pushes=Ledger())
        for rule in segments.values_list("rule", flat=True)
    ]
    if not parts:
        return NOBODY, []
    return " UNION ALL ".join(sql for sql, _ in parts), [p for _, params in parts for p in params]


def count(rule: Rule, *, app_id: int, now: datetime) -> Counts:
    """Give how many a rule is true of now."""
    sql, params = compile_rule(rule, app_id=app_id, now=now, pushes=Ledger())
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(members=sql), [*params, app_id])
        return Counts(*cursor.fetchone())


class Ledger:
    """What became of pushes, for rules that ask."""

    def opened(self, notification_ids: list[int], *, app_id: int) -> Query:
        """Give the condition that this install or this user opened one of these notifications."""
        by_install, by_user = OPENED.format(who="install_id"), OPENED.format(who="user_uid")
        params = [app_id, notification_ids]
        return f"(i.id IN ({by_install}) OR u.uid IN ({by_user}))", [*params, *params]

    def received(self, *, since: datetime, app_id: int) -> Query:
        """Give the condition that a provider accepted a push for this install."""
        return f"i.id IN ({ACCEPTED})", [since, since, since, app_id, app_id]
