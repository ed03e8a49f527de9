"""One event of a known install, in one round trip: what the herd after a broadcast posts."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from delivery.commands.record_open import OPEN, OPEN_AND_TELL, opening
from delivery.statement import fetch_row

STORE = """
INSERT INTO crm_event (app_id, install_uid, uuid, type, user_uid, data, happened_at)
SELECT told.app_id, told.install_uid, told.uuid, told.type, told.user_uid,
       CASE WHEN push.id IS NULL THEN told.data
            ELSE push.reporting_meta || coalesce(push.user_meta -> told.user_uid, '{}')
                 || coalesce(told.data, '{}') END,
       told.happened_at
  FROM told
  LEFT JOIN delivery_notification push ON push.app_id = told.app_id AND push.id = told.push_id
   AND push.kind = 'push'
 ORDER BY told.place
    ON CONFLICT (app_id, uuid) DO NOTHING
RETURNING uuid
"""
"""Keeps what is new of `told`, with a push's own meta-data merged under what the device said.

Seed 000, "Reporting Meta-Data" and "User Meta"; `type` and `id` win (contracts/kumulos §3). A
twin on its way in another transaction is waited for.
"""

ONE = f"""
WITH install AS (
    SELECT i.id, u.uid AS user_uid
      FROM crm_install i JOIN crm_user u ON u.id = i.user_id
     WHERE i.app_id = %(app_id)s AND i.uid = %(install_uid)s
), told AS (
    SELECT %(app_id)s::int AS app_id, %(install_uid)s::text AS install_uid, %(uuid)s::uuid AS uuid,
           %(type)s::text AS type, %(user_uid)s::text AS user_uid, %(data)s::jsonb AS data,
           %(happened_at)s::timestamptz AS happened_at, %(push_id)s::int AS push_id, 1 AS place
      FROM install
), fresh AS ({STORE}), tap AS (
    SELECT told.app_id, install.id AS install_id, told.push_id, told.happened_at,
           coalesce(%(opener)s::text, install.user_uid) AS user_uid
      FROM fresh, told, install
     WHERE %(opened)s
), opened AS ({{opening}})
SELECT (SELECT count(*) FROM fresh) FROM install
"""  # noqa: S608 - no value
STATEMENTS = {how: ONE.replace("{opening}", how) for how in (OPEN, OPEN_AND_TELL)}


class One(NamedTuple):
    """An event that changes nothing but the count of opens, as the statement takes it."""

    app_id: int
    install_uid: str
    uuid: UUID
    type: str
    user_uid: str | None
    data: str | None
    happened_at: datetime
    push_id: int | None
    opened: bool
    opener: str | None  # None is the install's current user


def record_one(one: One) -> int | None:
    """Store an event and its open, and give 1 if it was new; None where its install is unknown."""
    row = fetch_row(STATEMENTS[opening(one.app_id)], one._asdict())
    return None if row is None else int(row[0])
