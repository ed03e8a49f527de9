"""Domain → wire: people, their devices and their attributes (seed 001)."""

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

from crm.listing import Device, People, Person
from crm.models import User

Fields = dict[str, Field[Any, Any, Any, Any]]


def people_body(people: People, *, number: int) -> dict[str, Any]:
    """Give one page of users."""
    return {
        "users": [person_body(person) for person in people.page],
        "totalUsers": people.total,
        "currentPage": number,
    }


def person_body(person: Person) -> dict[str, Any]:
    """Give one user with their installs; consent to in-app messages never told is none."""
    user = person.user
    return {
        "identifier": user.uid,
        "attributes": user.attributes,
        "firstActive": _zoned(user.first_active_at),
        "lastActive": _zoned(user.last_active_at),
        "inAppEnabled": bool(user.in_app_enabled),
        "createdAt": _zoned(user.created_at),
        "updatedAt": _zoned(user.updated_at),
        "installs": [_device_body(device) for device in person.devices],
    }


def attributes_body(user: User) -> dict[str, Any]:
    """Give the answer to setting attributes."""
    return {"identifier": user.uid, "attributes": user.attributes}


def _device_body(device: Device) -> dict[str, Any]:
    # what a device has not told is null; its SDKs tell no name of their owner's making
    install = device.install
    return {
        "id": install.uid,
        "subscribedToPushNotifications": device.reachable,
        "os": install.os or None,
        "osVersion": install.os_version or None,
        "sdkType": install.sdk_type or None,
        "sdkVersion": install.sdk_version or None,
        "lastActive": _zoned(install.last_active_at),
        "appVersion": install.app_version or None,
        "countryIsoCode": install.country or None,
        "timezone": install.timezone or None,
        "locale": install.locale or None,
        "deviceModel": install.device_model or None,
        "deviceName": install.device_model or None,
    }


def _zoned(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


class InstallAnswer(serializers.Serializer[Any]):
    """One install of a user, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        told = ("os", "osVersion", "sdkType", "sdkVersion", "lastActive", "appVersion")
        placed = ("countryIsoCode", "timezone", "locale", "deviceModel", "deviceName")
        return {
            "id": serializers.CharField(),
            "subscribedToPushNotifications": serializers.BooleanField(),
            **{name: serializers.CharField(allow_null=True) for name in (*told, *placed)},
        }


class UserAnswer(serializers.Serializer[Any]):
    """One user, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "identifier": serializers.CharField(),
            "attributes": serializers.DictField(),
            "firstActive": serializers.CharField(allow_null=True),
            "lastActive": serializers.CharField(allow_null=True),
            "inAppEnabled": serializers.BooleanField(),
            "createdAt": serializers.CharField(),
            "updatedAt": serializers.CharField(),
            "installs": InstallAnswer(many=True),
        }


class UsersAnswer(serializers.Serializer[Any]):
    """One page of users, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "users": UserAnswer(many=True),
            "totalUsers": serializers.IntegerField(),
            "currentPage": serializers.IntegerField(),
        }


class AttributesAnswer(serializers.Serializer[Any]):
    """A user whose attributes were set, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {"identifier": serializers.CharField(), "attributes": serializers.DictField()}
