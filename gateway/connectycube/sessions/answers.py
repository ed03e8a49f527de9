"""What is asked and answered, for the OpenAPI page; `requests.py` and `responses.py` do it."""

from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

from gateway.connectycube.users.answers import UserFields

Fields = dict[str, Field[Any, Any, Any, Any]]


class LoginFields(serializers.Serializer[Any]):
    """A login or an e-mail, and a password."""

    login = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    password = serializers.CharField()


class SessionUserFields(serializers.Serializer[Any]):
    """Whom a session is for; a guest needs no password."""

    login = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    password = serializers.CharField(required=False)
    guest = serializers.ChoiceField(["1"], required=False)
    full_name = serializers.CharField(required=False)


class SessionFields(serializers.Serializer[Any]):
    """What opens a session."""

    application_id = serializers.IntegerField()
    auth_key = serializers.CharField()
    timestamp = serializers.IntegerField(required=False)
    nonce = serializers.IntegerField(required=False)
    signature = serializers.CharField(required=False)
    user = SessionUserFields(required=False)


class SessionObject(serializers.Serializer[Any]):
    """A session."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "id": serializers.IntegerField(),
            "user_id": serializers.IntegerField(allow_null=True),
            "application_id": serializers.IntegerField(),
            "token": serializers.CharField(),
            "nonce": serializers.IntegerField(allow_null=True),
            "ts": serializers.IntegerField(),
            "created_at": serializers.CharField(),
            "updated_at": serializers.CharField(),
            "user": UserFields(required=False),
        }


class SessionAnswer(serializers.Serializer[Any]):
    """The envelope of a session."""

    session = SessionObject()
