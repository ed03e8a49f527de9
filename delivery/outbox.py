"""What happened, kept for whoever wants to be told: written by the statement that makes it true.

Who wants what is looked up once in a few seconds and not once a batch: where nobody listens, a push
costs what it cost before there were webhooks.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from time import monotonic
from typing import Any, NamedTuple

from django.db import connection

from delivery.arrays import numbers
from delivery.models.webhook import LANES, Topic, Webhook

BELIEVED_FOR = 5.0
"""Seconds after which a new webhook is noticed by every process."""


class Listeners:
    """Which app's events are wanted by any webhook; stopped ones go on where they were."""

    def __init__(self) -> None:
        self._wanted: frozenset[tuple[int, str]] = frozenset()
        self._anybody: frozenset[str] = frozenset()
        self._until = 0.0

    def want(self, app_id: int, topic: Topic) -> bool:
        """Say whether something of this kind is to be kept for an app."""
        self._look()
        return (app_id, topic.value) in self._wanted

    def anybody_wants(self, topic: Topic) -> bool:
        """Say whether it is for any app."""
        self._look()
        return topic.value in self._anybody

    def forget(self) -> None:
        """Look again before the next answer."""
        self._until = 0.0

    def _look(self) -> None:
        if monotonic() < self._until:
            return
        rows = Webhook.objects.values_list("app_id", "topics")
        self._wanted = frozenset((app, topic) for app, topics in rows for topic in topics)
        self._anybody = frozenset(topic for _, topic in self._wanted)
        self._until = monotonic() + BELIEVED_FOR


listeners = Listeners()
"""Those this process knows of."""

# Of all tokens of a statement, a row for each lane; those of an install meet in one.
SLICES = f"""
INSERT INTO delivery_webhookevent (app_id, lane, topic, occurrence_id, day, token_ids, at)
SELECT %(app)s, mod(coalesce(install_id, token_id), {LANES}), {{topic}}, %(occurrence)s, %(day)s,
       array_agg(token_id ORDER BY token_id), %(at)s
  FROM {{pushes}}
 GROUP BY 2
"""  # noqa: S608 - no value

OUTCOMES = SLICES.format(topic=f"'{Topic.OUTCOME.value}'", pushes="stored")
"""Keeps the outcomes `stored` by the statement it is part of."""

DEATHS = SLICES.format(
    topic="%(topic)s",
    pushes="unnest(%(token_ids)s::int[], %(install_ids)s::bigint[]) AS dead (token_id, install_id)",
)

WANTED = """
EXISTS (SELECT FROM delivery_webhook w WHERE w.app_id = {app} AND w.topics @> '["{topic}"]')
"""

OPENS = f"""
INSERT INTO delivery_webhookevent (app_id, lane, topic, install_id, body, at)
SELECT i.app_id, mod(i.id, {LANES}), '{Topic.OPENED.value}', i.id,
       jsonb_build_object('notificationId', opened.notification_id, 'installId', i.uid,
                          'userId', opened.user_uid, 'openedAt', opened.opened_at),
       clock_timestamp()
  FROM opened JOIN crm_install i ON i.id = opened.install_id
 WHERE opened.is_first
"""  # noqa: S608 - no value
"""Keeps the first taps among the `opened`."""

FINISHED = f"""
INSERT INTO delivery_webhookevent (app_id, lane, topic, occurrence_id, body, at)
SELECT n.app_id, 0, '{Topic.FINISHED.value}', o.id,
       jsonb_build_object('notificationId', n.id, 'occurrenceId', o.id, 'kind', n.kind,
           'dueAt', o.due_at, 'zone', o.zone, 'startedAt', o.started_at,
           'finishedAt', o.finished_at, 'cancelled', o.called_off_at IS NOT NULL,
           'targeted', o.targeted, 'outcomes', jsonb_build_object(
               'accepted', o.accepted, 'rejected', o.rejected, 'unregistered', o.unregistered,
               'expired', o.expired, 'cancelled', o.cancelled, 'capped', o.capped,
               'uncertain', o.uncertain)),
       o.finished_at
  FROM ended o JOIN delivery_notification n ON n.id = o.notification_id
 WHERE {WANTED.format(app="n.app_id", topic=Topic.FINISHED.value)}
"""  # noqa: S608 - no value
"""Keeps that occurrences `ended`."""


class Pushes(NamedTuple):
    """The pushes of an occurrence that something became of, and when."""

    app_id: int
    occurrence_id: int
    day: date
    installs: Mapping[int, int | None]
    at: datetime


def keep_deaths(pushes: Pushes, token_ids: Iterable[int], *, topic: Topic) -> None:
    """Keep that pushes showed tokens to be dead or in doubt; call it in that transaction."""
    ids = sorted(token_ids)
    if not ids or not listeners.want(pushes.app_id, topic):
        return
    facts: dict[str, Any] = {
        "app": pushes.app_id,
        "occurrence": pushes.occurrence_id,
        "day": pushes.day,
        "at": pushes.at,
        "topic": topic.value,
        "token_ids": numbers(ids),
        "install_ids": numbers(pushes.installs.get(i) for i in ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(DEATHS, facts)
