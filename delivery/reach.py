"""Whom an audience reaches before anything is sent, by what, and why the rest is not reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from crm.models import App
from crm.segments.compile import PLATFORM
from delivery.audience import Audience
from delivery.targeting.members import members
from delivery.targeting.query import Query
from delivery.targeting.resolve import ORDINARY, OUT, reachable
from delivery.targeting.zones import UNKNOWN

EVERY_INSTALL = "SELECT user_id, id AS install_id FROM crm_install WHERE app_id = %s"
ONCE = "SELECT DISTINCT user_id, install_id FROM ({named}) found"

# the first that holds is why: a device that is reached has no other reason
WHO = """
WITH named AS MATERIALIZED ({named}),
standing AS (
    SELECT CASE WHEN {out} THEN 'left_out'
                WHEN bool_or(t.state = 'alive' AND t.enabled) THEN 'reached'
                WHEN bool_or(t.state = 'alive') THEN 'disabled'
                WHEN bool_or(t.state = 'quarantined') THEN 'quarantined'
                WHEN bool_or(t.state = 'dead') THEN 'dead'
                ELSE 'no_token' END AS why
      FROM named LEFT JOIN crm_devicetoken t ON t.install_id = named.install_id
       AND t.app_id = %s AND t.transport = ANY(%s)
     WHERE named.install_id IS NOT NULL
     GROUP BY named.install_id, named.user_id
)
SELECT 'users', count(DISTINCT user_id) FROM named
 UNION ALL
SELECT 'no_install', count(DISTINCT user_id) FROM named WHERE install_id IS NULL
 UNION ALL
SELECT why, count(*) FROM standing GROUP BY why
"""

DEVICES = """
SELECT GROUPING(a.transport), GROUPING({platform}), a.transport, a.environment, a.topic,
       {platform}, {zone}, count(*)
  FROM ({reached}) a
  JOIN crm_devicetoken t ON t.id = a.id LEFT JOIN crm_install i ON i.id = t.install_id
 GROUP BY GROUPING SETS ((a.transport, a.environment, a.topic), ({platform}), ({zone}))
"""

OVER_CAP = """
SELECT count(*) FROM ({reached}) a
  JOIN crm_devicetoken t ON t.id = a.id
  JOIN delivery_captaken c ON c.install_id = t.install_id
 WHERE (SELECT count(*) FROM unnest(c.taken_at) AS at WHERE at > %s AND at <= %s) >= %s
"""

ZONE = f"coalesce(nullif(i.timezone, ''), '{UNKNOWN}')"

REASONS = ("no_token", "disabled", "quarantined", "dead", "left_out")
"""Why an install that is named is not reached."""


class Way(NamedTuple):
    """What devices are reached by: they are sent to in batches of their own."""

    transport: str
    environment: str
    topic: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How many an audience names, and how many devices of theirs a push would go to now.

    `unreached` counts installs by `REASONS`; users without any install are `homeless`.
    """

    users: int = 0
    homeless: int = 0
    installs: int = 0
    unreached: Mapping[str, int] = field(default_factory=dict)
    ways: Mapping[Way, int] = field(default_factory=dict)
    platforms: Mapping[str, int] = field(default_factory=dict)
    zones: Mapping[str, int] = field(default_factory=dict)

    @property
    def devices(self) -> int:
        """The pushes a send would be."""
        return sum(self.ways.values())


def reach(audience: Audience, *, app_id: int, now: datetime) -> Reach:
    """Count whom an audience reaches, in two queries over all it names."""
    counts = _who(audience, app_id=app_id, now=now)
    ways, platforms, zones = _devices(audience, app_id=app_id, now=now)
    unreached = {why: counts[why] for why in REASONS if counts.get(why)}
    return Reach(
        users=counts["users"],
        homeless=counts["no_install"],
        installs=counts.get("reached", 0) + sum(unreached.values()),
        unreached=unreached,
        ways=ways,
        platforms=platforms,
        zones=zones,
    )


def over_cap(audience: Audience, *, app: App, now: datetime) -> int:
    """Count the devices of an audience that a bulk push would not go to now: the app's cap is met.

    By the time it goes out it may be others. Nothing is asked where there is no cap.
    """
    if app.cap_pushes is None:
        return 0
    reached, params = reachable(audience, app_id=app.pk, now=now)
    with connection.cursor() as cursor:
        asked: list[Any] = [*params, now - app.cap_window, now, app.cap_pushes]
        cursor.execute(OVER_CAP.format(reached=reached), asked)
        return int(cursor.fetchone()[0])


def _who(audience: Audience, *, app_id: int, now: datetime) -> Mapping[str, int]:
    named: Query = EVERY_INSTALL, [app_id]
    if not audience.everybody:
        sql, params = members(audience, app_id=app_id, now=now)
        named = ONCE.format(named=sql), params
    out: Query = "false", []
    if audience.except_tags:
        sql = OUT.format(user="named.user_id")
        out = f"EXISTS ({sql})", [app_id, list(audience.except_tags)]
    transports = list((audience.devices or ORDINARY).transports)
    with connection.cursor() as cursor:
        sql = WHO.format(named=named[0], out=out[0])
        cursor.execute(sql, [*named[1], *out[1], app_id, transports])
        return dict(cursor.fetchall())


def _devices(
    audience: Audience, *, app_id: int, now: datetime
) -> tuple[dict[Way, int], dict[str, int], dict[str, int]]:
    reached, params = reachable(audience, app_id=app_id, now=now)
    platform = f"({PLATFORM})"
    sql = DEVICES.format(reached=reached, platform=platform, zone=ZONE)
    ways: dict[Way, int] = {}
    platforms: dict[str, int] = {}
    zones: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        for no_way, no_platform, *way, platform, zone, count in cursor.fetchall():
            if not no_way:
                ways[Way(*way)] = count
            elif not no_platform:
                platforms[platform or "unknown"] = platforms.get(platform, 0) + count
            else:
                zones[zone] = count
    return ways, platforms, zones
