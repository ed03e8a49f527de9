"""Installs and their addresses from elsewhere."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from django.db import connection, transaction

from crm.commands.imports.rows import NO_WORDS, InstallRow, Words
from crm.commands.imports.staging import as_json, as_text, id_of, merged, rounds, staged
from crm.commands.imports.tokens import owners_of, store_tokens
from crm.commands.installs import TrackInstall
from crm.models import App

COLUMNS = tuple(told.name for told in fields(TrackInstall) if told.name != "details")
SAID = f"""
uid text, user_uid text, {", ".join(f"{name} text" for name in COLUMNS)},
details jsonb, last_active_at timestamptz
"""

LOCK = """
SELECT 1 FROM crm_install WHERE app_id = %s AND uid = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""

RECOGNISE_USERS = f"""
INSERT INTO crm_user AS old (id, app_id, uid, anonymous)
SELECT {id_of("crm_user")}, %(app)s, named.user_uid, named.anonymous
  FROM (SELECT user_uid, bool_or(user_uid = uid) AS anonymous FROM said GROUP BY user_uid) named
  LEFT JOIN crm_user known ON known.app_id = %(app)s AND known.uid = named.user_uid
 ORDER BY named.user_uid
ON CONFLICT (app_id, uid) DO UPDATE SET anonymous = true
 WHERE EXCLUDED.anonymous AND NOT old.anonymous
"""  # noqa: S608 - no value

NEWER = "(old.last_active_at < EXCLUDED.last_active_at AND EXCLUDED.last_active_at < now())"

# A device seen here before its user was brought along is still its anonymous user's, unless it
# has spoken of its user itself: who has signed out is not signed in again.
FILE_KNOWS_USER = f"""
(SELECT uid FROM crm_user WHERE id = EXCLUDED.user_id) <> old.uid
AND ({NEWER} OR (SELECT uid FROM crm_user WHERE id = old.user_id) = old.uid
     AND NOT EXISTS (
         SELECT 1 FROM crm_event e WHERE e.app_id = old.app_id AND e.install_uid = old.uid
            AND e.type = ANY(%(user)s)))
"""  # noqa: S608 - no value

STORE = f"""
INSERT INTO crm_install AS old
       (app_id, uid, user_id, {", ".join(COLUMNS)}, details, first_active_at, last_active_at)
SELECT u.app_id, said.uid, u.id, {", ".join(f"said.{name}" for name in COLUMNS)}, said.details,
       LEAST(said.last_active_at, now()), LEAST(said.last_active_at, now())
  FROM said JOIN crm_user u ON u.app_id = %(app)s AND u.uid = said.user_uid
 ORDER BY said.uid
ON CONFLICT (app_id, uid) DO UPDATE SET
    {merged({**dict.fromkeys(COLUMNS, "''"), "details": "'{}'"}, newer=NEWER)},
    timezone_since = CASE
        WHEN EXCLUDED.timezone NOT IN ('', old.timezone) AND ({NEWER} OR old.timezone = '')
        THEN now() ELSE old.timezone_since END,
    user_id = CASE WHEN {FILE_KNOWS_USER} THEN EXCLUDED.user_id ELSE old.user_id END,
    first_active_at = LEAST(old.first_active_at, EXCLUDED.first_active_at),
    last_active_at = CASE WHEN {NEWER} THEN EXCLUDED.last_active_at ELSE old.last_active_at END
"""  # noqa: S608 - no value


@transaction.atomic
def store_installs(app: App, installs: Sequence[InstallRow], *, words: Words = NO_WORDS) -> None:
    """Create or complete installs, and their users where those are not known yet.

    Where a device has reported here later than the file was made, its own word stays. Addresses
    move as they do when a device registers one; see `store_tokens`.
    """
    lock_installs(app, installs)
    given: dict[str, Any] = {"app": app.pk, "user": list(words.user)}
    for some in rounds(installs, _keys_among(owners_of(app, installs))):
        with staged(SAID, _columns(some)) as cursor:
            for statement in (RECOGNISE_USERS, STORE):
                cursor.execute(statement, given)
        store_tokens(app, some, words=words)


def lock_installs(app: App, installs: Sequence[InstallRow]) -> None:
    """Hold those known already, in key order, until the caller's transaction ends.

    Before anything else, as devices do: each locks its install before it touches its user.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [app.pk, [install.uid for install in installs]])


def _keys_among(
    owners: Mapping[tuple[str, str], set[str]],
) -> Callable[[InstallRow], Iterator[Hashable]]:
    """An address that moves touches the install it leaves, too."""

    def keys(install: InstallRow) -> Iterator[Hashable]:
        yield install.uid
        if (token := install.token) is not None:
            yield token.transport, token.value
            yield from owners[token.transport, token.value]

    return keys


def _columns(installs: Sequence[InstallRow]) -> Iterator[tuple[Any, ...]]:
    for install in installs:
        yield (
            install.uid,
            install.user_uid or install.uid,
            *(getattr(install.said, name) for name in COLUMNS),
            as_json(install.said.details),
            as_text(install.last_active_at),
        )
