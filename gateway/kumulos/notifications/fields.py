"""The shape of `POST /notifications`, key by key (seed 000, "Payload"; contracts/kumulos §5.1)."""

from collections.abc import Mapping
from typing import Any

from rest_framework.fields import Field

from delivery.models.notification import Lane
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

LONGEST_TTL = 28 * 86400  # FCM's own limit, contracts/providers
INT4 = 2**31 - 1

NAMING = ("installIds", "userIds", "channelIds", "channelUuids", "segmentId", "segmentUuid")
TARGET_KEYS = frozenset({"broadcast", "excludeInstallIds", *NAMING})
NOBODY = (
    "Provide at least one of broadcast, installIds, userIds, segmentId, segmentUuid,"
    " channelIds or channelUuids."
)


def missing(data: Mapping[str, Any], *keys: str) -> dict[str, str]:
    """Give the reason for each key that is not there."""
    return {key: REQUIRED for key in keys if key not in data}


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

    def cross_reasons(self, data: Mapping[str, Any]) -> dict[str, str]:
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
    """`schedule`: when, by whose clock, and what to do where that is past."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "sendAt": WallClock(),
            "strategy": Word(choices=["local", "utc"]),
            "pastTimes": Word(choices=["ignore", "nextDay"]),
        }

    def cross_reasons(self, data: Mapping[str, Any]) -> dict[str, str]:
        """Refuse the strategy that is still missing, and the end of the calendar."""
        reasons = {}
        if str(data.get("sendAt")).startswith("9999"):  # a push lives on for weeks after it
            reasons["sendAt"] = "Is too far ahead."
        if data.get("strategy") == "local":
            reasons["strategy"] = "Local schedules are not available yet; use utc."
        return reasons


class NotificationFields(WireObject):
    """The whole ask. `ttl` and `lane` are additions of this gateway."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "title": Text(),
            "message": Text(),
            "broadcast": Flag(required=False),
            "installIds": Texts(required=False),
            "userIds": Texts(required=False),
            "userMeta": ObjectOfObjects(required=False),
            "segmentId": Whole(required=False),
            "segmentUuid": Text(required=False),
            "channelIds": Wholes(required=False),
            "channelUuids": Texts(required=False),
            "excludeInstallIds": Texts(required=False),
            "isBackground": Flag(required=False),
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
            "lane": Word(choices=Lane.values, required=False),
        }

    def to_internal_value(self, data: Any) -> Any:
        """Look at `schedule` only where `scheduled` asks for it, and then name all it lacks."""
        if isinstance(data, dict):
            data = {key: value for key, value in data.items() if key != "schedule"} | (
                {"schedule": data.get("schedule", {})} if data.get("scheduled") is True else {}
            )
        return super().to_internal_value(data)

    def cross_reasons(self, data: Mapping[str, Any]) -> dict[str, str]:
        """Require somebody to send to; a target of the wrong type has its own reason."""
        if data.get("broadcast") or any(data.get(key, []) != [] for key in NAMING):
            return {}
        return {"broadcast": NOBODY}
