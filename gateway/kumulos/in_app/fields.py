"""The shape of `POST /v1/messages/in-app`, key by key."""

from collections.abc import Mapping
from typing import Any

from delivery.message import Presented
from gateway.kumulos.in_app.moments import Moment, SpelledMoment
from gateway.kumulos.notifications.fields import (
    Fields,
    Reasons,
    ScheduleFields,
    nobody_named,
    only_if_scheduled,
    target_fields,
)
from gateway.rest.fields import AnyObject, Flag, ObjectOfObjects, Text, WireObject, Word


class InboxFields(WireObject):
    """`inbox`: how an inbox lists the message, and between which moments."""

    def get_fields(self) -> Fields:
        """Give the keys in the order in which apps are given them."""
        return {
            "title": Text(),
            "subtitle": Text(allow_blank=True, allow_null=True, default=None),
            "imagePath": Text(allow_blank=True, allow_null=True, default=None),
            "from": SpelledMoment(allow_null=True, default=None),
            "to": SpelledMoment(allow_null=True, default=None),
        }


class InAppFields(WireObject):
    """The whole ask: who and when as `POST /notifications` has it, what in words of its own."""

    def get_fields(self) -> Fields:
        """Give the keys, content and targets first."""
        return {
            "templateUid": Text(),
            **target_fields(),
            "dynamicContent": AnyObject(default=dict),
            "userDynamicContent": ObjectOfObjects(default=dict),
            "presentedWhen": Word(choices=list(Presented), default=Presented.IMMEDIATELY),
            "inbox": InboxFields(allow_null=True, default=None),
            "data": AnyObject(allow_null=True, default=None),
            "badge": AnyObject(allow_null=True, default=None),
            "expiresAt": Moment(allow_null=True, default=None),
            "scheduled": Flag(required=False),
            "schedule": ScheduleFields(required=False),
            "reportingMeta": AnyObject(default=dict),
        }

    def to_internal_value(self, data: Any) -> Any:
        """Look at `schedule` only where `scheduled` asks for it, and then name all it lacks."""
        return super().to_internal_value(only_if_scheduled(data))

    def cross_reasons(self, data: Mapping[str, Any]) -> Reasons:
        """Require somebody to send to."""
        return nobody_named(data)
