"""What may be said of someone who signs up, and what is wrong with it; pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypedDict, cast

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from crm.models import User

BLANK = "can't be blank"
INVALID = "is invalid"
TAKEN = "has already been taken"

Reasons = dict[str, list[str]]

SHORTEST_LOGIN = 3
MOST_TAGS = 1000
LONGEST = {
    "login": 70,
    "email": 255,
    "external_id": User.UID_LIMIT,
    "full_name": 255,
    "phone": 255,
    "facebook_id": 255,
    "twitter_id": 255,
    "website": 2048,
    "avatar": 2048,
    "custom_data": 65_535,
}
"""Characters each text may have."""

WHOLES = {
    "external_user_id": range(1 << 63),
    "blob_id": range(1 << 63),
    "timezone": range(-(1 << 31), 1 << 31),  # minutes; some clients count them the other way round
}
"""The numbers each whole number may be."""


class AccountWords(TypedDict, total=False):
    """What may be said of an account; what is left out stays as it is, None is nothing."""

    login: str | None
    email: str | None
    password: str | None
    old_password: str | None
    external_id: str | None
    external_user_id: int | None
    full_name: str | None
    profile: Mapping[str, Any]
    tags: Sequence[str]


def tidied(said: AccountWords) -> AccountWords:
    """Give the same words with blank names as none, and each tag once, trimmed, in its order."""
    names = ("login", "email", "password", "external_id")
    words: dict[str, Any] = {**said}
    words.update({name: _given(words[name]) for name in names if name in words})
    if "tags" in said:
        trimmed = (tag.strip() for tag in said["tags"])
        words["tags"] = list(dict.fromkeys(tag for tag in trimmed if tag))
    return cast("AccountWords", words)


def sound(said: AccountWords, wrong: Collection[str]) -> AccountWords:
    """Give the words nothing is wrong with: what the database can be asked about."""
    usable = {name: value for name, value in said.items() if name not in wrong}
    return cast("AccountWords", usable)


def too_long(limit: int, *, things: str = "characters") -> str:
    """Give the reason against more than `limit` of something."""
    return f"is too long (maximum is {limit} {things})"


def objections(said: AccountWords) -> Reasons:
    """Give everything that is wrong with these words by themselves, by field."""
    flat = {**said, **said.get("profile", {})}
    texts = {name: value for name, value in flat.items() if isinstance(value, str)}
    return {field: [reason] for field, reason in _objections(said, flat, texts)}


def _objections(
    said: AccountWords, flat: Mapping[str, Any], texts: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for name, text in texts.items():
        if reason := _text_objection(name, text):
            yield name, reason
    for name, allowed in WHOLES.items():
        if flat.get(name) is not None and flat[name] not in allowed:
            yield name, INVALID
    if reason := _tags_objection(said.get("tags", ())):
        yield "tags", reason


def _text_objection(name: str, text: str) -> str | None:
    if "\0" in text:  # the database can neither keep it nor look for it
        return INVALID
    if len(text) > LONGEST.get(name, len(text)):
        return too_long(LONGEST[name])
    if name == "login" and len(text) < SHORTEST_LOGIN:
        return f"is too short (minimum is {SHORTEST_LOGIN} characters)"
    return INVALID if name == "email" and not _is_email(text) else None


def _tags_objection(tags: Sequence[str]) -> str | None:
    if len(tags) > MOST_TAGS:
        return too_long(MOST_TAGS, things="tags")
    if any("\0" in tag for tag in tags):
        return INVALID
    return too_long(255) if any(len(tag) > 255 for tag in tags) else None


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def _given(text: str | None) -> str | None:
    return text if text and text.strip() else None
