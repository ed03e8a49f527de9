"""A user as `GET /v2/users` answers it, installs and all (seed 001) → rows."""

from functools import partial

from crm.commands.imports import InstallRow, UserRow
from crm.models import User
from gateway.kumulos.importing.installs import read_install_of
from gateway.kumulos.importing.record import Record

LONGEST_TAG = 255  # an index row must hold it


def read_user(said: Record) -> list[UserRow | InstallRow]:
    """Give the user and their installs."""
    uid = said.own_name("identifier", at_most=User.UID_LIMIT)
    installs = said.inner("installs", partial(read_install_of, user_uid=uid))
    first, last = said.moment("firstActive"), said.moment("lastActive")
    created, updated = said.moment("createdAt"), said.moment("updatedAt")
    user = UserRow(
        uid=uid,
        anonymous=any(install.uid == uid for install in installs),
        attributes=said.object("attributes") or {},
        tags=_tags(said),
        in_app_enabled=said.flag("inAppEnabled"),
        first_active_at=first,
        last_active_at=last,
        created_at=created,
        told_at=updated or last or first or created,
    )
    return [user, *installs]


def _tags(said: Record) -> list[str]:
    tags = said.array("tags") or []
    if all(isinstance(tag, str) and 0 < len(tag) <= LONGEST_TAG for tag in tags):
        return tags
    said.complain("tags", f"Every item must be a string of 1 to {LONGEST_TAG} characters.")
    return []
