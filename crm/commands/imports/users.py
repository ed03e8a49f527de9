"""Users from elsewhere."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import transaction

from crm.commands.imports.rows import NO_WORDS, UserRow, Words
from crm.commands.imports.staging import as_json, as_text, by_now, id_of, merged, rounds, staged
from crm.models import App

SAID = """
uid text, anonymous boolean, attributes jsonb, tags text[], in_app_enabled boolean,
first_active_at timestamptz, last_active_at timestamptz, created_at timestamptz,
told_at timestamptz
"""

# a row without a moment is given the present one, and whoever speaks of now overrules nothing
NEWER = "(old.updated_at < EXCLUDED.updated_at AND EXCLUDED.updated_at < now())"

# attributes deleted here since are not brought back: deleting has moved `updated_at`
NEVER_TOLD = "(old.attributes = '{}' AND old.updated_at = old.created_at)"
TELLS = f"(EXCLUDED.attributes <> '{{}}' AND ({NEWER} OR {NEVER_TOLD}))"

# `created_at` moves back: so does `updated_at`, or nobody could tell any more that nothing was told
MOVES = f"({NEWER} OR {TELLS} OR {NEVER_TOLD} AND EXCLUDED.updated_at < now())"

# consent is given to a device and leaves `updated_at` where it is
CONSENTED_SINCE = """EXISTS (
    SELECT 1 FROM crm_install i JOIN crm_event e ON e.app_id = i.app_id AND e.install_uid = i.uid
     WHERE i.user_id = old.id AND e.type = ANY(%(consent)s) AND e.happened_at > EXCLUDED.updated_at)
"""

STORE = f"""
INSERT INTO crm_user AS old
       (id, app_id, uid, anonymous, attributes, tags, in_app_enabled,
        first_active_at, last_active_at, created_at, updated_at)
SELECT {id_of("crm_user")}, %(app)s, said.uid, said.anonymous, said.attributes,
       COALESCE(said.tags, '{{}}'), said.in_app_enabled,
       {by_now("said.first_active_at")}, {by_now("said.last_active_at")},
       LEAST(said.created_at, said.first_active_at, told_at, now()), LEAST(told_at, now())
  FROM said LEFT JOIN crm_user known ON known.app_id = %(app)s AND known.uid = said.uid
 ORDER BY said.uid
ON CONFLICT (app_id, uid) DO UPDATE SET
    attributes = CASE WHEN {TELLS} THEN EXCLUDED.attributes ELSE old.attributes END,
    {merged({"tags": "'{}'"}, newer=NEWER)},
    {merged({"in_app_enabled": "NULL"}, newer=f"{NEWER} AND NOT {CONSENTED_SINCE}")},
    first_active_at = LEAST(old.first_active_at, EXCLUDED.first_active_at),
    last_active_at = GREATEST(old.last_active_at, EXCLUDED.last_active_at),
    created_at = LEAST(old.created_at, EXCLUDED.created_at),
    updated_at = CASE WHEN {MOVES} THEN EXCLUDED.updated_at ELSE old.updated_at END
"""  # noqa: S608 - no value


@transaction.atomic
def store_users(app: App, users: Sequence[UserRow], *, words: Words = NO_WORDS) -> None:
    """Create or complete users; what devices and backends told us since they were last seen stays.

    `first_active_at` and `created_at` only move back, `last_active_at` only forward.
    """
    for some in rounds(users, lambda user: [user.uid]):
        with staged(SAID, _columns(some)) as cursor:
            cursor.execute(STORE, {"app": app.pk, "consent": list(words.consent)})


def _columns(users: Sequence[UserRow]) -> Iterator[tuple[Any, ...]]:
    for u in users:
        yield (
            *(u.uid, u.anonymous, as_json(u.attributes), list(u.tags) or None, u.in_app_enabled),
            *(as_text(u.first_active_at), as_text(u.last_active_at)),
            *(as_text(u.created_at), as_text(u.told_at)),
        )
