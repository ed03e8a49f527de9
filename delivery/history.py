"""What some devices were lately sent, found without an index of the ledger by device.

The ledger's key is (day, occurrence, token): cheap to write, and quick to ask about one firing. So
the app's newest firings are asked for one by one. What is older is found by looking through a day.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from delivery.models import Open
from delivery.providers.contract import known_as
from delivery.statement import fetch_rows

FIRINGS = 300
"""Firings asked about; with `TOKENS` the bound of what a page costs: 3,000 look-ups by key."""

TOKENS = 10
SHOWN = 50

# the newest asks and, of series however old, the runs there were lately
RECENT = """
WITH asked AS (
    (SELECT id FROM delivery_notification
      WHERE app_id = %(app)s ORDER BY id DESC LIMIT %(firings)s)
     UNION
    (SELECT n.id FROM delivery_occurrence o JOIN delivery_notification n ON n.id = o.notification_id
      WHERE o.state IN ('due', 'planning') AND n.app_id = %(app)s LIMIT %(firings)s)
), fired AS (
    SELECT o.* FROM asked, LATERAL (
           SELECT id, notification_id, ledger_day, due_at FROM delivery_occurrence
            WHERE notification_id = asked.id ORDER BY due_at DESC LIMIT 5) o
     ORDER BY o.due_at DESC LIMIT %(firings)s
)
SELECT fired.notification_id, d.occurrence_id, d.token_id, t.transport, d.verdict, d.reason,
       d.provider_ref, d.at
  FROM fired, LATERAL (
       SELECT * FROM delivery_delivery
        WHERE day = fired.ledger_day AND occurrence_id = fired.id
          AND token_id = ANY(%(tokens)s)) d
  LEFT JOIN crm_devicetoken t ON t.id = d.token_id
 ORDER BY d.at DESC LIMIT %(shown)s
"""

OF_DAY = """
SELECT o.notification_id, d.occurrence_id, d.token_id, t.transport, d.verdict, d.reason,
       d.provider_ref, d.at
  FROM delivery_delivery d JOIN delivery_occurrence o ON o.id = d.occurrence_id
  LEFT JOIN crm_devicetoken t ON t.id = d.token_id
 WHERE d.day = %(day)s AND d.token_id = ANY(%(tokens)s)
 ORDER BY d.at DESC LIMIT %(shown)s
"""


class Received(NamedTuple):
    """What became of one push to one of the tokens."""

    notification_id: int
    occurrence_id: int
    token_id: int
    transport: str | None
    verdict: str
    reason: str
    provider_ref: str
    at: datetime

    @property
    def provider_id(self) -> str:
        """The name the provider knows it by."""
        return known_as(
            self.provider_ref,
            verdict=self.verdict,
            transport=self.transport,
            occurrence_id=self.occurrence_id,
            token_id=self.token_id,
        )


def lately_sent(tokens: Sequence[int], *, app_id: int, day: date | None = None) -> list[Received]:
    """Give what became of pushes to tokens of an app, the last first, `SHOWN` at most.

    Of the newest `FIRINGS` firings of the app; with a day of all that were due on it, which reads
    that day's ledger from end to end. Only the first `TOKENS` tokens are asked about.
    """
    if not tokens:
        return []
    which = {
        "app": app_id,
        "tokens": list(tokens[:TOKENS]),
        "firings": FIRINGS,
        "shown": SHOWN,
        "day": day,
    }
    return [Received(*row) for row in fetch_rows(RECENT if day is None else OF_DAY, which)]


def lately_opened(installs: Sequence[int]) -> list[Open]:
    """Give what was opened on some installs, the last first, `SHOWN` at most."""
    opens = Open.objects.filter(install__in=list(installs)).select_related("install")
    return list(opens.order_by("-opened_at")[:SHOWN])
