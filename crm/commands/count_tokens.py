"""How many tokens there are, counted now and then, so that no page has to."""

import logging
from datetime import datetime, timedelta

from django.db import connection

from crm.hurry import TookTooLong, within
from crm.models import TokenCount

log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)

PATIENCE = timedelta(seconds=40)

COUNT = """
INSERT INTO crm_tokencount (app_id, day, transport, environment, state, tokens, counted_at)
SELECT app_id, %(day)s, transport, environment,
       CASE WHEN state = 'alive' AND NOT enabled THEN 'disabled' ELSE state END, count(*), %(now)s
  FROM crm_devicetoken
 GROUP BY 1, 3, 4, 5
    ON CONFLICT (app_id, day, transport, environment, state)
    DO UPDATE SET tokens = excluded.tokens, counted_at = excluded.counted_at
"""


def count_tokens(*, now: datetime) -> bool:
    """Count every app's tokens for today, once an hour; False where that was not done.

    It was done within the last hour, or took longer than `PATIENCE`: the last count goes on being
    shown then, with its time.
    """
    today = TokenCount.objects.filter(day=now.date())
    if today.filter(counted_at__gt=now - EVERY).exists():
        return False
    try:
        with within(PATIENCE):
            with connection.cursor() as cursor:
                cursor.execute(COUNT, {"day": now.date(), "now": now})
            today.filter(counted_at__lt=now).delete()  # kinds there are none of any more
    except TookTooLong:
        log.warning("tokens could not be counted within %g s", PATIENCE.total_seconds())
        return False
    return True
