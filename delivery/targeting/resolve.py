"""Audience → the query for its reachable device tokens, or for the users of its inboxes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from delivery.audience import Audience, Devices
from delivery.targeting.members import members
from delivery.targeting.query import Query
from delivery.targeting.zones import UNKNOWN

ORDINARY = Devices(transports=("apns", "fcm"))
"""Where a message goes that names no devices; a VoIP address only ever gets calls."""

TOKENS = """
SELECT t.id, t.transport, t.environment, t.topic
  FROM {source} LEFT JOIN crm_install i ON i.id = t.install_id
 WHERE t.app_id = %s AND t.state = 'alive' AND t.enabled
"""

OTHER = """
SELECT 1 FROM crm_install theirs JOIN crm_devicetoken other ON other.install_id = theirs.id
 WHERE theirs.user_id = i.user_id AND other.app_id = %s AND other.state = 'alive'
   AND other.enabled AND other.transport = %s
"""

OUT = """
SELECT 1 FROM crm_user tagged
 WHERE tagged.id = {user} AND tagged.app_id = %s AND tagged.tags && %s::text[]
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
    tokens, params = _tokens(audience, app_id=app_id, now=now)
    local, zone = _local(clock, app_id) if clock else ("", [])
    return tokens + local, [*params, *zone]


def reaches_anybody(audience: Audience, *, app_id: int, now: datetime) -> bool:
    """Say whether a send right now would reach at least one device.

    The first one found is enough, so nothing is looked up in full to see that names differ.
    """
    sql, params = _tokens(audience, app_id=app_id, now=now, once=False)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT 1", params)
        return cursor.fetchone() is not None


def walks(audience: Audience) -> bool:
    """Say whether the reachable tokens may be read along the index fan-out has, from any of them.

    What is said of the user of a token is looked up elsewhere, and for every page again.
    """
    devices = audience.devices
    of_users = audience.except_tags or (devices is not None and devices.unless_transport)
    return audience.everybody and not of_users


def _tokens(audience: Audience, *, app_id: int, now: datetime, once: bool = True) -> Query:
    source, named = "crm_devicetoken t", list[Any]()
    if not audience.everybody:
        sql, named = members(audience, app_id=app_id, now=now)
        members_once = f"SELECT DISTINCT install_id FROM ({sql}) named" if once else sql
        source = f"({members_once}) m JOIN crm_devicetoken t ON t.install_id = m.install_id"
    condition, params = _conditions(audience, app_id)
    return TOKENS.format(source=source) + condition, [*named, app_id, *params]


def _conditions(audience: Audience, app_id: int) -> Query:
    devices = audience.devices or ORDINARY
    sql, params = " AND t.transport = ANY(%s)", list[Any]([list(devices.transports)])
    if devices.environment:
        sql, params = f"{sql} AND t.environment = %s", [*params, devices.environment]
    if devices.unless_transport:
        other, which = _reached_by(devices, app_id)
        sql, params = f"{sql} AND NOT EXISTS ({other})", [*params, *which]
    if audience.except_tags:
        out, who = _excepted("i.user_id", audience, app_id)
        sql, params = f"{sql} AND NOT EXISTS ({out})", [*params, *who]
    return sql, params


def _reached_by(devices: Devices, app_id: int) -> Query:
    """Give SQL for whether the user has a reachable token of a transport, in one environment."""
    if devices.environment:
        which = [app_id, devices.unless_transport, devices.environment]
        return f"{OTHER} AND other.environment = %s", which
    return OTHER, [app_id, devices.unless_transport]


def _excepted(user: str, audience: Audience, app_id: int) -> Query:
    return OUT.format(user=user), [app_id, list(audience.except_tags)]


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
    if audience.everybody:
        sql, params = EVERYBODY, list[Any]([app_id])
    else:
        sql, params = members(audience, app_id=app_id, now=now)
    if audience.except_tags:
        out, who = _excepted("named.user_id", audience, app_id)
        sql, params = f"SELECT * FROM ({sql}) named WHERE NOT EXISTS ({out})", [*params, *who]
    zone, names = _in_zone(clock.zone) if clock else ("true", [])
    return (
        f"""SELECT DISTINCT u.id FROM ({sql}) m JOIN crm_user u ON u.id = m.user_id
              LEFT JOIN crm_install i ON i.id = m.install_id
             WHERE u.in_app_enabled IS NOT FALSE AND {zone}""",
        [*params, *names],
    )
