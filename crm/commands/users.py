"""What backends say of people."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from crm.commands.installs import recognise_user
from crm.errors import NotFound
from crm.models import App, User


@transaction.atomic
def set_attributes(*, app: App, uid: str, attributes: Mapping[str, Any]) -> User:
    """Give the user known under `uid` exactly these attributes; creates them on first mention.

    The last write wins, whoever made it: a device associating its user writes the same column. An
    install's own anonymous user stays anonymous: being described is not signing in.
    """
    user = recognise_user(app=app, uid=uid)
    user.attributes, user.updated_at = dict(attributes), timezone.now()
    user.save(update_fields=["attributes", "updated_at"])
    return user


def clear_attributes(*, app: App, uid: str) -> None:
    """Leave a user without attributes; raises `NotFound`."""
    # the database cannot even look for NUL
    named = User.objects.none() if "\0" in uid else User.objects.filter(app=app, uid=uid)
    if not named.update(attributes={}, updated_at=timezone.now()):
        raise NotFound("No such user.")
