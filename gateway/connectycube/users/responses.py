"""Domain → wire: one user, and the two forms of a list (contracts/connectycube §5)."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

from crm.models import User
from gateway.connectycube.moments import stamp

Fields = dict[str, Field[Any, Any, Any, Any]]


def user_body(user: User) -> dict[str, Any]:
    """Give a user as callers may see them, keys in their documented order.

    A name made up here is no external id; whoever is no guest is null, not false.
    """
    known = user.profile.get
    return {
        "id": user.pk,
        "full_name": user.full_name,
        "email": user.email,
        "login": user.login,
        "phone": known("phone"),
        "website": known("website"),
        "created_at": stamp(user.created_at),
        "updated_at": stamp(user.updated_at),
        "last_request_at": user.last_active_at and stamp(user.last_active_at),
        "external_user_id": user.external_user_id,
        "external_id": None if user.uid_is_ours or user.anonymous else user.uid,
        "facebook_id": known("facebook_id"),
        "twitter_id": known("twitter_id"),
        "blob_id": known("blob_id"),
        "custom_data": known("custom_data"),
        "avatar": known("avatar"),
        # a list to us, one text to them: Flutter splits it
        "user_tags": ",".join(user.tags) or None,
        "timezone": known("timezone"),
        "is_guest": True if user.guest_until else None,
    }


def users_page_body(users: Iterable[User], *, number: int, size: int, total: int) -> dict[str, Any]:
    """Give a page of the older lists, each user in an object of their own."""
    return {
        "current_page": number,
        "per_page": size,
        "total_entries": total,
        "items": [{"user": user_body(user)} for user in users],
    }


def users_slice_body(users: Iterable[User], *, limit: int, skip: int, total: int) -> dict[str, Any]:
    """Give a slice of the second list, whose users stand bare."""
    return {
        "limit": limit,
        "skip": skip,
        "total_entries": total,
        "items": [user_body(user) for user in users],
    }


class UserFields(serializers.Serializer[Any]):
    """A user, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "id": serializers.IntegerField(),
            **_texts("full_name", "email", "login", "phone", "website"),
            "created_at": serializers.CharField(),
            "updated_at": serializers.CharField(),
            **_texts("last_request_at"),
            **_wholes("external_user_id"),
            **_texts("external_id", "facebook_id", "twitter_id"),
            **_wholes("blob_id"),
            **_texts("custom_data", "avatar", "user_tags"),
            **_wholes("timezone"),
            "is_guest": serializers.BooleanField(allow_null=True),
        }


class UserAnswer(serializers.Serializer[Any]):
    """One user in their envelope, for the OpenAPI page."""

    user = UserFields()


class UsersPageAnswer(serializers.Serializer[Any]):
    """A page of users, for the OpenAPI page."""

    current_page = serializers.IntegerField()
    per_page = serializers.IntegerField()
    total_entries = serializers.IntegerField()
    items = UserAnswer(many=True)


class UsersSliceAnswer(serializers.Serializer[Any]):
    """A slice of users, for the OpenAPI page."""

    limit = serializers.IntegerField()
    skip = serializers.IntegerField()
    total_entries = serializers.IntegerField()
    items = UserFields(many=True)


def _texts(*names: str) -> Fields:
    return {name: serializers.CharField(allow_null=True) for name in names}


def _wholes(*names: str) -> Fields:
    return {name: serializers.IntegerField(allow_null=True) for name in names}
