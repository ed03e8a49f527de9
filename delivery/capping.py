"""How many bulk pushes an install gets in a while: each takes a slot before it is sent.

The slots of an install are one row, and a batch takes all of its slots in one statement. Whoever
else sends to the same installs waits for it, and then sees them (docs/adr/0024).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from crm.commands.sweeping import forget
from crm.models.app import LONGEST_WINDOW
from delivery.arrays import numbers
from delivery.models import Batch, CapTaken
from delivery.models.notification import Lane
from delivery.statement import fetch_rows

SLICE = 5_000
"""Rows one statement forgets."""

MOST_SLICES = 200
"""Statements of one look; the next goes on."""

# Never before the latest slot, though that was taken while we waited for the row: so slots stay in
# the order of their moments. One far ahead was taken before the clock was set back: of no account.
MOMENT = """least(greatest(statement_timestamp(), t.taken_at[cardinality(t.taken_at)]),
                  statement_timestamp() + interval '1 hour')"""
COUNTING = f"""(SELECT s.id, s.at FROM unnest(t.occurrence_ids, t.taken_at) AS s (id, at)
                WHERE s.at <= {MOMENT}
                  AND s.at > {MOMENT} - (SELECT span FROM cap))"""  # noqa: S608 - no value

# In key order: two batches of the same installs wait for each other, and never crosswise. A firing
# that has a slot keeps it, moved to now: in no window are there more than the cap, whenever it is
# that the push goes out again.
TAKE = f"""
WITH cap AS MATERIALIZED (
    SELECT cap_pushes AS pushes, cap_window AS span FROM crm_app
     WHERE id = %(app)s AND cap_pushes IS NOT NULL
), asked AS MATERIALIZED (
    SELECT unnest(%(installs)s::bigint[]) AS install_id
), taken AS (
    INSERT INTO delivery_captaken AS t (install_id, occurrence_ids, taken_at, day)
    SELECT install_id, ARRAY[%(occurrence)s::bigint], ARRAY[statement_timestamp()],
           (statement_timestamp() AT TIME ZONE 'UTC')::date
      FROM asked, cap
     ORDER BY install_id
        ON CONFLICT (install_id) DO UPDATE
       SET (occurrence_ids, taken_at) = (
               SELECT coalesce(array_agg(c.id ORDER BY c.at), '{{}}') || %(occurrence)s::bigint,
                      coalesce(array_agg(c.at ORDER BY c.at), '{{}}') || {MOMENT}
                 FROM {COUNTING} c WHERE c.id <> %(occurrence)s::bigint),
           day = ({MOMENT} AT TIME ZONE 'UTC')::date
     WHERE (SELECT count(*) < (SELECT pushes FROM cap)
                   OR coalesce(bool_or(c.id = %(occurrence)s::bigint), false)
              FROM {COUNTING} c)
    RETURNING t.install_id
)
SELECT asked.install_id, cap.pushes, cap.span FROM asked, cap
 WHERE NOT EXISTS (SELECT FROM taken WHERE taken.install_id = asked.install_id)
"""  # noqa: S608 - no value

FORGET = """
WITH past AS MATERIALIZED (
    SELECT install_id FROM delivery_captaken WHERE day < %s ORDER BY day LIMIT %s
       FOR UPDATE SKIP LOCKED
)
DELETE FROM delivery_captaken t USING past WHERE t.install_id = past.install_id
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capped:
    """The installs that got no slot, and what the cap was."""

    installs: frozenset[int] = field(default_factory=frozenset)
    pushes: int = 0
    window: timedelta = timedelta()

    @property
    def reason(self) -> str:
        """What the ledger says of their pushes."""
        return f"{_counted(self.pushes, 'push', 'pushes')} in {spell(self.window)} already"


NOBODY = Capped()


def take_slots(batch: Batch, install_ids: Iterable[int | None]) -> Capped:
    """Take a slot for each install a batch is about to push to, and give those that get none.

    Where the app has no cap, and for an urgent ask, nothing is asked or written. A firing takes one
    slot of an install, however often and to however many of its tokens it is sent. A token without
    an install is never capped.
    """
    if batch.occurrence.notification.lane != Lane.BULK or batch.app.cap_pushes is None:
        return NOBODY
    installs = sorted({install_id for install_id in install_ids if install_id is not None})
    asked = {
        "app": batch.app_id,
        "occurrence": batch.occurrence_id,
        "installs": numbers(installs),
    }
    rows = fetch_rows(TAKE, asked)
    if not rows:
        return NOBODY
    [_, pushes, window] = rows[0]
    return Capped(installs=frozenset(row[0] for row in rows), pushes=pushes, window=window)


class Slot(NamedTuple):
    """A firing that counts against the cap of an install, and since when."""

    occurrence_id: int
    taken_at: datetime


def slots_of(install_ids: Iterable[int]) -> Mapping[int, Sequence[Slot]]:
    """Give the slots the stored rows still show, oldest first, by install."""
    rows = CapTaken.objects.filter(install_id__in=list(install_ids))
    return {
        row.install_id: [Slot(*one) for one in zip(row.occurrence_ids, row.taken_at, strict=True)]
        for row in rows
    }


def forget_slots(*, today: date) -> int:
    """Drop rows whose slots are past every window there can be, a slice at a time; gives how many.

    `today` is the day in UTC, as that of the slots is.
    """
    before = today - LONGEST_WINDOW - timedelta(days=1)
    return forget(FORGET, before, at_once=SLICE, in_all=MOST_SLICES * SLICE)


UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def spell(window: timedelta) -> str:
    """Say a window as people do: 24 hours, 7 days, 1 hour 30 minutes."""
    left, said = round(window.total_seconds()), []
    for name, seconds in UNITS:
        if name == "day" and left < 2 * seconds:
            continue  # 24 hours, as the field calls it
        count, left = divmod(left, seconds)
        if count:
            said.append(_counted(count, name, f"{name}s"))
    return " ".join(said)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
