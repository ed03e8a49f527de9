"""What is asked and answered, for the OpenAPI page; `requests.py` and `responses.py` do it."""

from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

Fields = dict[str, Field[Any, Any, Any, Any]]


class UserFields(serializers.Serializer[Any]):
    """A user."""

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


class CubeUserAnswer(serializers.Serializer[Any]):
    """One user in their envelope."""

    user = UserFields()


class UsersPageAnswer(serializers.Serializer[Any]):
    """A page of users."""

    current_page = serializers.IntegerField()
    per_page = serializers.IntegerField()
    total_entries = serializers.IntegerField()
    items = CubeUserAnswer(many=True)


class UsersSliceAnswer(serializers.Serializer[Any]):
    """A slice of users."""

    limit = serializers.IntegerField()
    skip = serializers.IntegerField()
    total_entries = serializers.IntegerField()
    items = UserFields(many=True)


def _texts(*names: str) -> Fields:
    return {name: serializers.CharField(allow_null=True) for name in names}


def _wholes(*names: str) -> Fields:
    return {name: serializers.IntegerField(allow_null=True) for name in names}


class AccountFields(serializers.Serializer[Any]):
    """What may be said of a user."""

    def get_fields(self) -> Fields:
        """Give every key that is understood."""
        texts = ("login", "email", "password", "external_id", "full_name", "phone", "website")
        more = ("custom_data", "avatar", "facebook_id", "twitter_id", "tag_list")
        wholes = ("external_user_id", "blob_id", "timezone")
        return {
            **{name: serializers.CharField(required=False) for name in (*texts, *more)},
            **{name: serializers.IntegerField(required=False) for name in wholes},
        }


class SignUpFields(serializers.Serializer[Any]):
    """The envelope of someone new."""

    user = AccountFields()


class ChangedAccountFields(AccountFields):
    """What may change of a user; a new password needs the old one."""

    def get_fields(self) -> Fields:
        """Add the old password."""
        return {**super().get_fields(), "old_password": serializers.CharField(required=False)}


class AccountChangeFields(serializers.Serializer[Any]):
    """The envelope of a change."""

    user = ChangedAccountFields()
