"""Addresses from elsewhere: the rules of `crm.commands.device_tokens.register_token`, in bulk."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import md5
from typing import Any

from django.db import connection

from crm.commands.imports.rows import InstallRow, Words
from crm.commands.imports.staging import as_json, as_text, id_of, staged
from crm.models import App

SAID = """
install_uid text, transport text, environment text, topic text, value text,
environment_known boolean, enabled boolean, details jsonb, registered_at timestamptz
"""

OWNERS = """
SELECT t.transport, t.value, i.uid
  FROM crm_devicetoken t JOIN crm_install i ON i.id = t.install_id
 WHERE t.app_id = %s AND t.value_digest = ANY(%s) AND t.state <> 'dead'
"""

# everything that may change, locked in key order, as everybody does
LOCK = """
SELECT 1 FROM crm_devicetoken WHERE id IN (
    SELECT t.id FROM said
      JOIN crm_install i ON i.app_id = %(app)s AND i.uid = said.install_uid
      JOIN crm_devicetoken t ON t.install_id = i.id AND t.state <> 'dead'
     UNION
    SELECT t.id FROM said
      JOIN crm_devicetoken t ON t.app_id = %(app)s AND t.value_digest = md5(said.value))
 ORDER BY id FOR NO KEY UPDATE
"""

# A device that has asked since not to be pushed to, before its address was brought along.
LEFT_SINCE = """
EXISTS (SELECT 1 FROM crm_event e
         WHERE e.app_id = i.app_id AND e.install_uid = i.uid AND e.type = ANY(%(address)s)
           AND (said.registered_at IS NULL OR e.happened_at > said.registered_at))
"""

# Leave to show notifications is given to a device and leaves `registered_at` where it is.
SWITCHED_SINCE = """
EXISTS (SELECT 1 FROM crm_install i JOIN crm_event e
            ON e.app_id = i.app_id AND e.install_uid = i.uid
         WHERE i.id = EXCLUDED.install_id AND i.id = old.install_id AND e.type = ANY(%(leave)s)
           AND e.happened_at > EXCLUDED.registered_at)
"""

# Where it was not said, the environment is what pushes to the address have shown.
LEARNED = """
LEFT JOIN LATERAL (
    SELECT t.environment FROM crm_devicetoken t
     WHERE NOT said.environment_known AND t.environment_known AND t.app_id = i.app_id
       AND t.value_digest = md5(said.value) AND t.value = said.value
       AND t.transport = said.transport AND t.topic = said.topic
     LIMIT 1) learned ON true
"""

# Registered when the install was last active, or before anything we know of. An address is taken
# over from whoever registered it earlier. It comes back from the dead only if it was in use after
# it died; one that had only made room for another is not dead by anybody's proof.
STORE = f"""
INSERT INTO crm_devicetoken AS old
       (id, app_id, install_id, transport, environment, topic, kind, value, environment_known,
        enabled, details, state, registered_at)
SELECT {id_of("crm_devicetoken")}, i.app_id, i.id, said.transport,
       coalesce(learned.environment, said.environment), said.topic, 'token', said.value,
       said.environment_known OR learned.environment IS NOT NULL,
       said.enabled, said.details, 'alive',
       CASE WHEN said.registered_at < now() THEN said.registered_at ELSE 'epoch' END
  FROM said JOIN crm_install i ON i.app_id = %(app)s AND i.uid = said.install_uid
  {LEARNED}
  LEFT JOIN crm_devicetoken known
    ON known.app_id = i.app_id AND known.value_digest = md5(said.value)
   AND known.transport = said.transport AND known.topic = said.topic
   AND known.environment = coalesce(learned.environment, said.environment)
 WHERE NOT {LEFT_SINCE}
 ORDER BY said.install_uid
ON CONFLICT (app_id, value_digest, transport, environment, topic) DO UPDATE SET
    install_id = EXCLUDED.install_id,
    enabled = CASE WHEN {SWITCHED_SINCE} THEN old.enabled ELSE EXCLUDED.enabled END,
    details = EXCLUDED.details,
    environment_known = EXCLUDED.environment_known,
    state = 'alive',
    state_reason = '',
    state_changed_at = now(),
    registered_at = EXCLUDED.registered_at
 WHERE old.registered_at < EXCLUDED.registered_at
   AND (old.state = 'alive'
        OR old.state_reason IN ('registered elsewhere', 'replaced by the device')
        OR old.state_changed_at < EXCLUDED.registered_at)
"""  # noqa: S608 - no value

# of one moment, the same ones wherever the file is cut: ids are given as it is cut
LATEST = "registered_at DESC, value, environment, topic"

# one address an install is the rule of those in the file; others may have several side by side
SUPERSEDE = f"""
WITH touched AS (
    SELECT t.* FROM said
      JOIN crm_install i ON i.app_id = %(app)s AND i.uid = said.install_uid
      JOIN crm_devicetoken t ON t.install_id = i.id AND t.state <> 'dead'
     UNION
    SELECT t.* FROM said
      JOIN crm_devicetoken t ON t.app_id = %(app)s AND t.value_digest = md5(said.value)
       AND t.state <> 'dead'
), ranked AS (
    SELECT id, rank() OVER (PARTITION BY transport, value ORDER BY {LATEST})
               > 1 AS elsewhere,
           rank() OVER (PARTITION BY install_id ORDER BY {LATEST})
               > 1 AND install_id IN (
               SELECT i.id FROM said
                 JOIN crm_install i ON i.app_id = %(app)s AND i.uid = said.install_uid) AS replaced
      FROM touched
)
UPDATE crm_devicetoken t
   SET state = 'dead', state_changed_at = now(),
       state_reason = CASE WHEN elsewhere THEN 'registered elsewhere'
                           ELSE 'replaced by the device' END
  FROM ranked WHERE t.id = ranked.id AND (elsewhere OR replaced)
"""  # noqa: S608 - no value


def owners_of(app: App, installs: Sequence[InstallRow]) -> Mapping[tuple[str, str], set[str]]:
    """Give the installs each address leads to, here and in these rows, as transport and value."""
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for install in installs:
        if (token := install.token) is not None:
            owners[token.transport, token.value].add(install.uid)
    digests = [md5(value.encode(), usedforsecurity=False).hexdigest() for _, value in owners]
    with connection.cursor() as cursor:
        cursor.execute(OWNERS, [app.pk, digests])
        for transport, value, uid in cursor.fetchall():
            owners[transport, value].add(uid)
    return owners


def store_tokens(app: App, installs: Sequence[InstallRow], *, words: Words) -> None:
    """Give each address to the install that registered it last, and each install its latest one.

    No two of the installs share an address; the caller holds a transaction.
    """
    rows = list(_columns(installs))
    if not rows:
        return
    given: dict[str, Any] = {
        "app": app.pk,
        "address": list(words.address),
        "leave": list(words.leave),
    }
    with staged(SAID, rows) as cursor:
        for statement in (LOCK, STORE, SUPERSEDE):
            cursor.execute(statement, given)


def _columns(installs: Sequence[InstallRow]) -> Iterator[tuple[Any, ...]]:
    for install in installs:
        if (token := install.token) is not None:
            yield (
                install.uid,
                token.transport,
                token.environment,
                token.topic,
                token.value,
                token.environment_known,
                token.enabled,
                as_json(token.details),
                as_text(install.last_active_at),
            )
