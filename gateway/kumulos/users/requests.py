"""Wire → domain: whose attributes, and which."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ValidationError

from crm.models import User
from gateway.rest.storable import objection


def read_attributes(body: Mapping[str, Any], *, uid: str) -> dict[str, Any]:
    """Give the attributes a body is, unwrapped by nothing (contracts/kumulos §6.4).

    Raises with the reasons of the id and of each attribute that cannot be kept.
    """
    judged = {name: objection({name: value}) for name, value in body.items()}
    bad = {name: [reason] for name, reason in judged.items() if reason is not None}
    # one level down, because an attribute may be called `error`
    reasons: dict[str, Any] = {"attributes": bad} if bad else {}
    if len(uid) > User.UID_LIMIT or "\0" in uid:
        reasons["userId"] = [f"Must be 1 to {User.UID_LIMIT} characters, none of them null."]
    if reasons:
        raise ValidationError(reasons)
    return dict(body)
