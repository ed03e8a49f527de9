"""The shape of `POST /notifications`, key by key (seed 000, "Payload"; contracts/kumulos §5.1)."""

from collections.abc import Mapping
from typing import Any

from rest_framework.fields import Field

from delivery.models.notification import ASKED
from gateway.rest.fields import (
    REQUIRED,
    AnyObject,
    Flag,
    ObjectOfObjects,
    Text,
    Texts,
    WallClock,
    Whole,
    Wholes,
    WireObject,
    Word,
)

Fields = dict[str, Field[Any, Any, Any, Any]]
Reasons = dict[str, str]

LONGEST_TTL = 28 * 86400  # FCM's own limit, contracts/providers
INT4 = 2**31 - 1

NAMING = ("installIds", "userIds", "channelIds", "channelUuids", "segmentId", "segmentUuid")
TARGET_KEYS = frozenset({"broadcast", "excludeInstallIds", *NAMING})
NOBODY = (
    "Provide at least one of broadcast, installIds, userIds, segmentId, segmentUuid,"
    " channelIds or channelUuids."
)


def missing(data: Mapping[str, Any], *keys: str) -> Reasons:
    """Give the reason for each key that is not there."""
    return {key: REQUIRED for key in keys if key not in data}


def nobody_named(data: Mapping[str, Any]) -> Reasons:
    """Require somebody to send to; a target of the wrong type has its own reason."""
    if data.get("broadcast") or any(data.get(key, []) != [] for key in NAMING):
        return {}
    return {"broadcast": NOBODY}


def only_if_scheduled(data: Any) -> Any:
    """Leave `schedule` out unless `scheduled` asks for it; then an absent one lacks it all."""
    if not isinstance(data, dict):
        return data
    asked = {"schedule": data.get("schedule", {})} if data.get("scheduled") is True else {}
    return {key: value for key, value in data.items() if key != "schedule"} | asked


class IosFields(WireObject):
    """`ios`: a badge, where `hasBadge` says so; otherwise its details are not looked at."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "hasBadge": Flag(required=False),
            "badgeType": Word(choices=["incrementBy", "setTo"], required=False),
            "badgeCount": Whole(min_value=-INT4, max_value=INT4, required=False),
        }

    def to_internal_value(self, data: Any) -> Any:
        """Leave out what `hasBadge` makes meaningless."""
        if isinstance(data, dict) and data.get("hasBadge") is not True:
            data = {key: data[key] for key in data if key == "hasBadge"}
        return super().to_internal_value(data)

    def cross_reasons(self, data: Mapping[str, Any]) -> Reasons:
        """Require the badge that was announced."""
        if data.get("hasBadge") is not True:
            return {}
        return missing(data, "badgeType", "badgeCount")


class AndroidFields(WireObject):
    """`android`: the priority flag."""

    def get_fields(self) -> Fields:
        """Give its one key."""
        return {"highPriority": Flag(required=False)}


class SoundFields(WireObject):
    """`soundConfig`: a file in the app's bundle, or `none`."""

    def get_fields(self) -> Fields:
        """Give its one key."""
        return {"iosSound": Text(allow_blank=True, required=False)}


class ScheduleFields(WireObject):
    """`schedule`: when, by whose clock, and what to do where that is past.

    `skipAfter` is an addition of this gateway: how many seconds late a firing may start.
    """

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "sendAt": WallClock(),
            "strategy": Word(choices=["local", "utc"]),
            "pastTimes": Word(choices=["ignore", "nextDay"]),
            "skipAfter": Whole(min_value=0, max_value=LONGEST_TTL, required=False),
        }

    def cross_reasons(self, data: Mapping[str, Any]) -> Reasons:
        """Refuse the end of the calendar: a push lives on for weeks after it."""
        too_far = str(data.get("sendAt")).startswith("9999")
        return {"sendAt": "Is too far ahead."} if too_far else {}


def content_fields() -> Fields:
    """Give what a notification says."""
    return {"title": Text(), "message": Text()}


def target_fields() -> Fields:
    """Give who is named and who is left out."""
    return {
        "broadcast": Flag(required=False),
        "installIds": Texts(required=False),
        "userIds": Texts(required=False),
        "segmentId": Whole(required=False),
        "segmentUuid": Text(required=False),
        "channelIds": Wholes(required=False),
        "channelUuids": Texts(required=False),
        "excludeInstallIds": Texts(required=False),
    }


def option_fields() -> Fields:
    """Give everything else but the background flag, which each API names its own way.

    `ttl` and `lane` are additions of this gateway.
    """
    return {
        "userMeta": ObjectOfObjects(required=False),
        "url": Text(allow_blank=True, required=False),
        "data": AnyObject(allow_null=True, required=False),
        "ios": IosFields(required=False),
        "android": AndroidFields(required=False),
        "scheduled": Flag(required=False),
        "schedule": ScheduleFields(required=False),
        "collapseId": Text(at_most_bytes=64, allow_blank=True, required=False),
        "soundConfig": SoundFields(required=False),
        "reportingMeta": AnyObject(required=False),
        "ttl": Whole(min_value=0, max_value=LONGEST_TTL, required=False),
        "lane": Word(choices=ASKED, required=False),
    }


class NotificationFields(WireObject):
    """The whole ask."""

    def get_fields(self) -> Fields:
        """Give the keys, content and targets first."""
        return {
            **content_fields(),
            **target_fields(),
            "isBackground": Flag(required=False),
            **option_fields(),
        }

    def to_internal_value(self, data: Any) -> Any:
        """Look at `schedule` only where `scheduled` asks for it, and then name all it lacks."""
        return super().to_internal_value(only_if_scheduled(data))

    def cross_reasons(self, data: Mapping[str, Any]) -> Reasons:
        """Require somebody to send to."""
        return nobody_named(data)
