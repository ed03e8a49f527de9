"""Wire → commands: what is said of a user (contracts/connectycube §5)."""

from collections.abc import Mapping
from typing import Any, cast

from crm.accounts import MOST_TAGS, AccountWords
from crm.commands.accounts import ChangeAccount, SignUp
from crm.models import App, User
from gateway.connectycube.errors import INVALID
from gateway.connectycube.members import Members, open_envelope

ANY_LENGTH = 1 << 20  # the domain says how long each may be

NAMES = ("login", "email", "external_id", "full_name")
SECRETS = ("password", "old_password")
PROFILE_TEXTS = ("phone", "website", "custom_data", "avatar", "facebook_id", "twitter_id")
PROFILE_WHOLES = ("blob_id", "timezone")


def read_sign_up(said: Mapping[str, Any], *, app: App) -> SignUp:
    """Give who wants to be known; wrong types are named at once."""
    words = _words(said)
    return SignUp(
        app=app,
        login=words.get("login"),
        email=words.get("email"),
        password=words.get("password"),
        external_id=words.get("external_id"),
        external_user_id=words.get("external_user_id"),
        full_name=words.get("full_name"),
        profile=words.get("profile", {}),
        tags=words.get("tags", ()),
    )


def read_change(said: Mapping[str, Any], *, user: User) -> ChangeAccount:
    """Give what is new about someone; null and an empty text clear a thing."""
    return ChangeAccount(user=user, said=_words(said))


def _words(said: Mapping[str, Any]) -> AccountWords:
    user = open_envelope(said, "user")
    members = Members(user)
    words: dict[str, Any] = {
        name: members.text(name, at_most=ANY_LENGTH) for name in NAMES if name in user
    }
    words |= {name: _secret(members, name) for name in SECRETS if name in user}
    profile: dict[str, Any] = {
        name: members.text(name, at_most=ANY_LENGTH) for name in PROFILE_TEXTS if name in user
    }
    profile |= {name: members.whole(name) for name in PROFILE_WHOLES if name in user}
    if "external_user_id" in user:
        words["external_user_id"] = members.whole("external_user_id")
    if "tag_list" in user:
        words["tags"] = members.names("tag_list", at_most=MOST_TAGS)
    members.check()
    if profile:
        words["profile"] = profile
    return cast("AccountWords", words)


def _secret(members: Members, name: str) -> str | None:
    """Give a password as it was typed; a number is not one."""
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        members.complain(name, INVALID)
        return None
    return value
