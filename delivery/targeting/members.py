"""Audience → the query for the people and installs it names."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from delivery.audience import Audience
from delivery.targeting import segments
from delivery.targeting.query import Query

PEOPLE = """
SELECT u.id AS user_id, i.id AS install_id
  FROM crm_user u LEFT JOIN crm_install i ON i.user_id = u.id
 WHERE u.app_id = %s AND """
"""Users and all installs whose current user they are."""

MOST_USERS = 2**31 - 1
NUMBER = re.compile(r"-?[0-9]{1,19}")
NUMBERS = range(-(2**63), 2**63)
"""What the columns can hold; anything else is nobody's."""


def members(audience: Audience, *, app_id: int, now: datetime) -> Query:
    """Give SQL for the (user_id, install_id) pairs an audience names, each once or more.

    `install_id` is NULL for a user without installs; `user_id` is the install's current user. Not
    for an audience of everybody. Who is excluded by a tag is still among them.
    """
    parts: list[Query] = []
    if audience.install_uids:
        parts.append(_installs(app_id, audience.install_uids))
    if audience.user_uids:
        parts.append(_users(app_id, audience.user_uids))
    if audience.user_ids:
        parts.append(_known(app_id, audience.user_ids))
    if audience.external_ids:
        parts.append(_external(app_id, audience.external_ids))
    if audience.tagged:
        parts.append(_tagged(app_id, audience))
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
    return PEOPLE + "u.uid = ANY(%s)", [app_id, list(uids)]


def _known(app_id: int, ids: Sequence[int]) -> Query:
    possible = [one for one in ids if 0 < one <= MOST_USERS]
    return PEOPLE + "u.id = ANY(%s::int[])", [app_id, possible]


def _external(app_id: int, ids: Sequence[str]) -> Query:
    """Give users by a name of the caller's, or by the number the caller gave them.

    Asked apart: under one OR the database would read every user of the app.
    """
    numbers = [int(one) for one in ids if NUMBER.fullmatch(one) and int(one) in NUMBERS]
    by_name = PEOPLE + "u.uid = ANY(%s) AND NOT u.uid_is_ours"
    by_number = PEOPLE + "u.external_user_id = ANY(%s::bigint[])"
    return f"{by_name} UNION ALL {by_number}", [app_id, list(ids), app_id, numbers]


def _tagged(app_id: int, audience: Audience) -> Query:
    """Give who has any of the ones and each of the others, as far as they are named."""
    sql, params = PEOPLE + "true", list[Any]([app_id])
    if audience.any_tags:
        sql, params = f"{sql} AND u.tags && %s::text[]", [*params, list(audience.any_tags)]
    if audience.all_tags:
        sql, params = f"{sql} AND u.tags @> %s::text[]", [*params, list(audience.all_tags)]
    return sql, params


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
