"""The SQL by which a migration has a table audited (docs/adr/0023); migrations rely on its words.

A path names a column of the row, or leads over one of its foreign keys to a column of another
table: `credential_id>delivery_providercredential.app_id`.
"""

from collections.abc import Sequence

from django.db.migrations import RunSQL

EVERYTHING = "*"
"""Instead of the columns to hide: which columns changed is written down, and no value."""

BY_HAND = "current_setting('gateway.by_hand', true) = 'on'"
"""What a person does on a page; nothing an API, an import or the engine does."""

BY_SOMEBODY = "current_setting('gateway.actor', true) <> ''"
"""What somebody who is known does; nothing the engine does."""

ROWS = """
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW {when} EXECUTE FUNCTION crm_audit({given});
"""

WHOLE = """
CREATE TRIGGER audited_emptied BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION crm_audit({given});
"""


def audited(
    table: str,
    *,
    kind: str,
    app: str = "app_id",
    name: str = "",
    hidden: Sequence[str] = (),
    ignored: Sequence[str] = (),
    only: str = "",
) -> RunSQL:
    """Give the operation after which each change of a table is written down.

    `kind` is the model's label, `app` and `name` are paths to the app a row belongs to and to what
    people call it. That a `hidden` column changed is written down, its values never are; a change
    of `ignored` ones alone is none. `only` is a condition on what is written down.
    """
    given = ", ".join(
        f"'{argument}'" for argument in (kind, app, name, ",".join(hidden), ",".join(ignored))
    )
    when = f"WHEN ({only})" if only else ""
    # rather fail than have every writer wait behind us
    made = "SET LOCAL lock_timeout = '5s';" + ROWS.format(table=table, when=when, given=given)
    undone = f"DROP TRIGGER audited ON {table};"
    if not only:
        made += WHOLE.format(table=table, given=given)
        undone += f"DROP TRIGGER audited_emptied ON {table};"
    return RunSQL(made, undone)
