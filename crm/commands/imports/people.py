"""Users together with their installs, from elsewhere."""

from collections.abc import Sequence

from django.db import transaction

from crm.commands.imports.installs import lock_installs, store_installs
from crm.commands.imports.rows import NO_WORDS, InstallRow, UserRow, Words
from crm.commands.imports.users import store_users
from crm.models import App


@transaction.atomic
def store_people(
    app: App,
    *,
    users: Sequence[UserRow],
    installs: Sequence[InstallRow],
    words: Words = NO_WORDS,
) -> None:
    """Create or complete users and their installs; see `store_users` and `store_installs`.

    Users first: an install whose user is not known yet makes one up, as of now, and what the file
    says of them would come too late.
    """
    lock_installs(app, installs)
    store_users(app, users, words=words)
    store_installs(app, installs, words=words)
