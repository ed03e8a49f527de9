"""Domain → wire: one user (contracts/connectycube §5)."""

from typing import Any

from crm.models import User
from gateway.connectycube.moments import stamp


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
