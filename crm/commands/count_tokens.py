"""How many tokens there are, counted now and then, so that no page has to."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from crm.models import TokenCount

EVERY = timedelta(hours=1)

PATIENCE_MS = 40_000
"""A count that takes longer is given up; the last one goes on being shown, with its time."""

COUNT = """
INSERT INTO crm_tokencount (app_id, day, transport, environment, state, tokens, counted_at)
SELECT app_id, %(day)s, transport, environment,
       CASE WHEN state = 'alive' AND NOT enabled THEN 'disabled' ELSE state END, count(*), %(now)s
  FROM crm_devicetoken
 GROUP BY 1, 3, 4, 5
    ON CONFLICT (app_id, day, transport, environment, state)
    DO UPDATE SET tokens = excluded.tokens, counted_at = excluded.counted_at
"""


@transaction.atomic
def count_tokens(*, now: datetime) -> bool:
    """Count every app's tokens for today, once an hour; False where it was done within the last."""
    if TokenCount.objects.filter(day=now.date(), counted_at__gt=now - EVERY).exists():
        return False
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
        cursor.execute(COUNT, {"day": now.date(), "now": now})
    # kinds there are none of any more
    TokenCount.objects.filter(day=now.date(), counted_at__lt=now).delete()
    return True
