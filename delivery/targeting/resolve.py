"""Audience → the query for its reachable device tokens."""

from typing import Any

from delivery.audience import Audience

Query = tuple[str, list[Any]]

PUSHABLE = ["apns", "fcm"]
"""Transports an ordinary message goes to; a VoIP address only ever gets calls."""

REACHABLE = """
    SELECT t.id, t.transport, t.environment, t.topic
      FROM crm_devicetoken t
     WHERE t.app_id = %s AND t.state = 'alive' AND t.enabled AND t.transport = ANY(%s)
"""


def reachable(audience: Audience, *, app_id: int) -> Query:
    """Give SQL for (id, transport, environment, topic) of every token the audience reaches.

    One row per token however often it is named; unknown names reach nobody. No order is promised.
    """
    sql, params = REACHABLE, [app_id, PUSHABLE]
    if not audience.everyone:
        named, names = _named(audience, app_id)
        sql, params = f"{sql} AND t.id IN ({named})", [*params, *names]
    return sql, params


def _named(audience: Audience, app_id: int) -> Query:
    parts: list[Query] = []
    if audience.install_uids:
        parts.append(_of_installs(app_id, list(audience.install_uids)))
    if audience.user_uids:
        parts.append(_of_users(app_id, list(audience.user_uids)))
    if audience.channel_ids:
        excluded = list(audience.except_install_uids)
        parts.append(_of_channels(app_id, list(audience.channel_ids), excluded))
    return " UNION ".join(sql for sql, _ in parts), [p for _, params in parts for p in params]


def _of_installs(app_id: int, uids: list[str]) -> Query:
    return (
        """SELECT d.id FROM crm_devicetoken d JOIN crm_install i ON i.id = d.install_id
            WHERE i.app_id = %s AND i.uid = ANY(%s)""",
        [app_id, uids],
    )


def _of_users(app_id: int, uids: list[str]) -> Query:
    """Give tokens of installs whose current user is named, and tokens users hold themselves."""
    return (
        """SELECT d.id FROM crm_user u JOIN crm_install i ON i.user_id = u.id
             JOIN crm_devicetoken d ON d.install_id = i.id
            WHERE u.app_id = %s AND u.uid = ANY(%s)
            UNION
           SELECT d.id FROM crm_user u JOIN crm_devicetoken d ON d.user_id = u.id
            WHERE u.app_id = %s AND u.uid = ANY(%s)""",
        [app_id, uids, app_id, uids],
    )


def _of_channels(app_id: int, channel_ids: list[int], excluded: list[str]) -> Query:
    """Give tokens of subscribed installs and of installs whose current user is subscribed."""
    return (
        """SELECT d.id FROM crm_channel c JOIN crm_channelsubscription s ON s.channel_id = c.id
             JOIN crm_install i ON i.id = s.install_id OR i.user_id = s.user_id
             JOIN crm_devicetoken d ON d.install_id = i.id
            WHERE c.app_id = %s AND c.id = ANY(%s) AND i.uid <> ALL(%s)""",
        [app_id, channel_ids, excluded],
    )
