"""Addresses from elsewhere: the rules of `crm.commands.device_tokens.register_token`, in bulk."""

from collections.abc import Iterator, Sequence
from typing import Any

from crm.commands.imports.rows import InstallRow
from crm.commands.imports.staging import as_json, as_text, staged
from crm.models import App

SAID = """
install_uid text, transport text, environment text, topic text, value text,
enabled boolean, details jsonb, registered_at timestamptz
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

# Registered when the install was last active, or before anything we know of. An address is taken
# over from whoever registered it earlier. It comes back from the dead only if it was in use after
# it died; one that had only made room for another is not dead by anybody's proof.
STORE = """
INSERT INTO crm_devicetoken AS old
       (app_id, install_id, transport, environment, topic, kind, value, enabled, details,
        state, registered_at)
SELECT i.app_id, i.id, said.transport, said.environment, said.topic, 'token', said.value,
       said.enabled, said.details, 'alive',
       CASE WHEN said.registered_at < now() THEN said.registered_at ELSE 'epoch' END
  FROM said JOIN crm_install i ON i.app_id = %(app)s AND i.uid = said.install_uid
 ORDER BY said.install_uid
ON CONFLICT (app_id, value_digest, transport, environment, topic) DO UPDATE SET
    install_id = EXCLUDED.install_id,
    enabled = EXCLUDED.enabled,
    details = EXCLUDED.details,
    state = 'alive',
    state_reason = '',
    state_changed_at = now(),
    registered_at = EXCLUDED.registered_at
 WHERE old.registered_at < EXCLUDED.registered_at
   AND (old.state = 'alive'
        OR old.state_reason IN ('registered elsewhere', 'replaced by the device')
        OR old.state_changed_at < EXCLUDED.registered_at)
"""

# one address an install is the rule of those in the file; others may have several side by side
SUPERSEDE = """
WITH touched AS (
    SELECT t.* FROM said
      JOIN crm_install i ON i.app_id = %(app)s AND i.uid = said.install_uid
      JOIN crm_devicetoken t ON t.install_id = i.id AND t.state <> 'dead'
     UNION
    SELECT t.* FROM said
      JOIN crm_devicetoken t ON t.app_id = %(app)s AND t.value_digest = md5(said.value)
       AND t.state <> 'dead'
), ranked AS (
    SELECT id, rank() OVER (PARTITION BY transport, value ORDER BY registered_at DESC, id DESC)
               > 1 AS elsewhere,
           rank() OVER (PARTITION BY install_id ORDER BY registered_at DESC, id DESC)
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
"""


def store_tokens(app: App, installs: Sequence[InstallRow]) -> None:
    """Give each address to the install that registered it last, and each install its latest one.

    No two of the installs share an address; the caller holds a transaction.
    """
    rows = list(_columns(installs))
    if not rows:
        return
    with staged(SAID, rows) as cursor:
        for statement in (LOCK, STORE, SUPERSEDE):
            cursor.execute(statement, {"app": app.pk})


def _columns(installs: Sequence[InstallRow]) -> Iterator[tuple[Any, ...]]:
    for install in installs:
        if (token := install.token) is not None:
            yield (
                install.uid,
                token.transport,
                token.environment,
                token.topic,
                token.value,
                token.enabled,
                as_json(token.details),
                as_text(install.last_active_at),
            )
