"""Audience → the query for its reachable device tokens, or for the users of its inboxes."""

from dataclasses import dataclass
from datetime import datetime

from delivery.audience import Audience
from delivery.targeting.members import members
from delivery.targeting.query import Query
from delivery.targeting.zones import UNKNOWN

PUSHABLE = ["apns", "fcm"]
"""Transports an ordinary message goes to; a VoIP address only ever gets calls."""

TOKENS = """
SELECT t.id, t.transport, t.environment, t.topic
  FROM {source} LEFT JOIN crm_install i ON i.id = t.install_id
 WHERE t.app_id = %s AND t.state = 'alive' AND t.enabled AND t.transport = ANY(%s)
"""

EVERYBODY = """
SELECT u.id AS user_id, i.id AS install_id
  FROM crm_user u LEFT JOIN crm_install i ON i.user_id = u.id
 WHERE u.app_id = %s AND NOT (u.anonymous AND i.id IS NULL)
"""

# Whoever moves to a zone that is still to fire has perhaps had the push in the zone they left.
# Few move while a send is under way; without any, nothing of this is looked at.
SENT_BEFORE_MOVING = """
SELECT sent.token_id FROM (
    SELECT unnest(b.token_ids) AS token_id
      FROM delivery_occurrence o JOIN delivery_batch b ON b.occurrence_id = o.id
     WHERE o.notification_id = %s AND o.id <> %s) sent
 WHERE EXISTS (SELECT 1 FROM crm_install WHERE app_id = %s AND timezone_since >= %s)
   AND sent.token_id IN (
    SELECT d.id FROM crm_install m JOIN crm_devicetoken d ON d.install_id = m.id
     WHERE m.app_id = %s AND m.timezone_since >= %s)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """The zone one firing of a local send is for, and which send it is part of."""

    zone: str
    notification_id: int
    occurrence_id: int
    asked_at: datetime


def reachable(
    audience: Audience, *, app_id: int, now: datetime, clock: Clock | None = None
) -> Query:
    """Give SQL for (id, transport, environment, topic) of every token the audience reaches.

    One row per token however often it is named; unknown names reach nobody. No order is promised.
    With a clock, only devices in its zone, and of those that moved there none that was sent to.
    """
    local = _local(clock, app_id) if clock else ("", [])
    if audience.everyone:
        return _tokens("crm_devicetoken t", app_id, local)
    sql, params = members(audience, app_id=app_id, now=now)
    each = f"SELECT DISTINCT install_id FROM ({sql}) named"
    source = f"({each}) m JOIN crm_devicetoken t ON t.install_id = m.install_id"
    tokens, names = _tokens(source, app_id, local)
    return tokens, [*params, *names]


def _tokens(source: str, app_id: int, local: Query) -> Query:
    condition, params = local
    return TOKENS.format(source=source) + condition, [app_id, PUSHABLE, *params]


def _local(clock: Clock, app_id: int) -> Query:
    zone, params = _in_zone(clock.zone)
    moved = [app_id, clock.asked_at]
    return (
        f" AND {zone} AND t.id NOT IN ({SENT_BEFORE_MOVING})",
        [*params, clock.notification_id, clock.occurrence_id, *moved, *moved],
    )


def _in_zone(zone: str) -> Query:
    if zone == UNKNOWN:
        return "coalesce(i.timezone, '') IN ('', %s)", [zone]
    return "i.timezone = %s", [zone]


def inboxes(audience: Audience, *, app_id: int, now: datetime, clock: Clock | None = None) -> Query:
    """Give SQL for the ids of the users an in-app message is for, each once, as `id`.

    Whoever refused in-app messages is left out. Everyone means whoever is signed in somewhere or
    known by name; with a clock, whoever has a device in its zone.
    """
    if audience.everyone:
        sql, params = EVERYBODY, [app_id]
    else:
        sql, params = members(audience, app_id=app_id, now=now)
    zone, names = _in_zone(clock.zone) if clock else ("true", [])
    return (
        f"""SELECT DISTINCT u.id FROM ({sql}) m JOIN crm_user u ON u.id = m.user_id
              LEFT JOIN crm_install i ON i.id = m.install_id
             WHERE u.in_app_enabled IS NOT FALSE AND {zone}""",
        [*params, *names],
    )
