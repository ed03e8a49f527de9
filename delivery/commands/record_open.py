"""Someone tapped a notification."""

from datetime import datetime

from django.db import connection

from crm.models import Install
from delivery.models.webhook import Topic
from delivery.outbox import OPENS, listeners

OPEN = """
INSERT INTO delivery_open (notification_id, install_id, user_uid, opened_at)
SELECT push.id, tap.install_id, tap.user_uid, least(tap.happened_at, now())
  FROM tap JOIN delivery_notification push ON push.app_id = tap.app_id AND push.id = tap.push_id
   AND push.kind = 'push'
    ON CONFLICT (notification_id, install_id, user_uid)
    DO UPDATE SET opened_at = excluded.opened_at
 WHERE excluded.opened_at < delivery_open.opened_at
"""
"""Counts a `tap`; an install has at most one for each push and user, the earliest."""

OPEN_AND_TELL = f"""{OPEN}
RETURNING notification_id, install_id, user_uid, opened_at, delivery_open.xmax = 0 AS is_first
), told AS ({OPENS}"""
"""The same, kept for webhooks; to stand as `opened AS (…)`. What was updated has an xmax."""


def opening(app_id: int) -> str:
    """Give the statement that counts a `tap`, and keeps it where webhooks want to hear of it."""
    return OPEN_AND_TELL if listeners.want(app_id, Topic.OPENED) else OPEN


def record_open(
    *, install: Install, notification_id: int, user_uid: str, happened_at: datetime
) -> None:
    """Record a tap; of several by one user on one install the earliest counts.

    A tap on what is no notification of the install's app counts for nothing; one in the future
    counts as of now.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH tap (app_id, install_id, push_id, user_uid, happened_at) AS (
                    VALUES (%s, %s, %s, %s, %s::timestamptz)
                ), opened AS ({opening(install.app_id)}) SELECT""",
            [install.app_id, install.pk, notification_id, user_uid, happened_at],
        )
