"""Who is in which channel, from elsewhere."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.db import transaction

from crm.commands.imports.rows import SubscriptionRow
from crm.commands.imports.staging import staged
from crm.models import App

SAID = "number integer, channel_uuid text, install_uid text, user_uid text"

FOUND = """
SELECT said.*, c.id AS channel_id, i.id AS install_id, u.id AS user_id
  FROM said
  LEFT JOIN crm_channel c ON c.app_id = %(app)s AND c.uuid = said.channel_uuid
  LEFT JOIN crm_install i ON i.app_id = %(app)s AND i.uid = said.install_uid
  LEFT JOIN crm_user u ON u.app_id = %(app)s AND u.uid = said.user_uid
"""

STORE = f"""
INSERT INTO crm_channelsubscription (channel_id, install_id, user_id)
SELECT channel_id, install_id, user_id FROM ({FOUND}) found
 WHERE channel_id IS NOT NULL AND num_nonnulls(install_id, user_id) = 1
 ORDER BY channel_id, install_id, user_id
ON CONFLICT DO NOTHING
"""  # noqa: S608 - no value

UNKNOWN = f"""
SELECT number, unnest(array_remove(ARRAY[
           CASE WHEN channel_id IS NULL THEN 'channel_uuid' END,
           CASE WHEN install_uid IS NOT NULL AND install_id IS NULL THEN 'install_uid' END,
           CASE WHEN user_uid IS NOT NULL AND user_id IS NULL THEN 'user_uid' END], NULL))
  FROM ({FOUND}) found
"""  # noqa: S608 - no value


@transaction.atomic
def store_subscriptions(
    app: App, subscriptions: Sequence[SubscriptionRow]
) -> Mapping[int, list[str]]:
    """Subscribe whoever is known to whatever is known; gives what was not, by place in the list.

    Subscribing someone twice is once.
    """
    unknown: dict[int, list[str]] = defaultdict(list)
    with staged(SAID, ((n, *row) for n, row in enumerate(subscriptions))) as cursor:
        cursor.execute(STORE, {"app": app.pk})
        cursor.execute(UNKNOWN, {"app": app.pk})
        for number, field in cursor.fetchall():
            unknown[number].append(field)
    return unknown
