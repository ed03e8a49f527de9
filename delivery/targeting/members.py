"""Audience → the query for the people and installs it names."""

from collections.abc import Sequence
from datetime import datetime

from delivery.audience import Audience
from delivery.targeting import segments
from delivery.targeting.query import Query


def members(audience: Audience, *, app_id: int, now: datetime) -> Query:
    """Give SQL for the (user_id, install_id) pairs an audience names, each once or more.

    `install_id` is NULL for a user without installs. Not for an audience of everyone.
    """
    parts: list[Query] = []
    if audience.install_uids:
        parts.append(_installs(app_id, audience.install_uids))
    if audience.user_uids:
        parts.append(_users(app_id, audience.user_uids))
    if audience.grouped:
        parts.append(_groups(audience, app_id, now))
    return joined(" UNION ALL ", parts)


def joined(word: str, parts: Sequence[Query]) -> Query:
    """Give one query of several, with their parameters in order."""
    return word.join(sql for sql, _ in parts), [p for _, params in parts for p in params]


def _installs(app_id: int, uids: Sequence[str]) -> Query:
    return (
        "SELECT user_id, id AS install_id FROM crm_install WHERE app_id = %s AND uid = ANY(%s)",
        [app_id, list(uids)],
    )


def _users(app_id: int, uids: Sequence[str]) -> Query:
    """Give users and all installs whose current user they are."""
    return (
        """SELECT u.id AS user_id, i.id AS install_id
             FROM crm_user u LEFT JOIN crm_install i ON i.user_id = u.id
            WHERE u.app_id = %s AND u.uid = ANY(%s)""",
        [app_id, list(uids)],
    )


def _groups(audience: Audience, app_id: int, now: datetime) -> Query:
    """Give who is in any of the channels and, where both are named, in any of the segments."""
    parts: list[Query] = []
    if audience.channel_ids:
        parts.append(_channels(app_id, audience.channel_ids))
    if audience.segment_ids:
        sql, params = segments.members(audience.segment_ids, app_id=app_id, now=now)
        parts.append((f"({sql})", params))
    sql, params = joined(" INTERSECT ", parts)
    if not audience.except_install_uids:
        return f"SELECT * FROM ({sql}) grouped", params
    return (
        f"""SELECT * FROM ({sql}) grouped WHERE (install_id IN (
                SELECT id FROM crm_install WHERE app_id = %s AND uid = ANY(%s))) IS NOT TRUE""",
        [*params, app_id, list(audience.except_install_uids)],
    )


def _channels(app_id: int, channel_ids: Sequence[int]) -> Query:
    """Give subscribed installs, and subscribed users with their installs (contracts §6.13)."""
    ids = list(channel_ids)
    return (
        """(SELECT i.user_id, i.id AS install_id FROM crm_channel c
              JOIN crm_channelsubscription s ON s.channel_id = c.id
              JOIN crm_install i ON i.id = s.install_id
             WHERE c.app_id = %s AND c.id = ANY(%s)
             UNION ALL
            SELECT s.user_id, i.id FROM crm_channel c
              JOIN crm_channelsubscription s ON s.channel_id = c.id AND s.user_id IS NOT NULL
              LEFT JOIN crm_install i ON i.user_id = s.user_id
             WHERE c.app_id = %s AND c.id = ANY(%s))""",
        [app_id, ids, app_id, ids],
    )
