"""The shape of `POST /v2/notifications`: v1's fields, some of them in boxes of their own."""

from collections.abc import Mapping
from typing import Any

from gateway.kumulos.notifications.fields import (
    Fields,
    Reasons,
    content_fields,
    nobody_named,
    only_if_scheduled,
    option_fields,
    target_fields,
)
from gateway.rest.fields import Flag, WireObject


class TargetFields(WireObject):
    """`target`: who is named and who is left out."""

    def get_fields(self) -> Fields:
        """Give the same keys as v1."""
        return target_fields()

    def cross_reasons(self, data: Mapping[str, Any]) -> Reasons:
        """Require somebody to send to."""
        return nobody_named(data)


class ContentFields(WireObject):
    """`content`: what the notification says."""

    def get_fields(self) -> Fields:
        """Give the same keys as v1."""
        return content_fields()


class NotificationV2Fields(WireObject):
    """The whole ask; v1's other keys are taken beside the documented ones."""

    def get_fields(self) -> Fields:
        """Give the keys, content and targets first."""
        return {
            "content": ContentFields(),
            "target": TargetFields(),
            "runBackgroundHandler": Flag(required=False),
            **option_fields(),
        }

    def to_internal_value(self, data: Any) -> Any:
        """Look at `schedule` only where `scheduled` asks for it, and then name all it lacks."""
        return super().to_internal_value(only_if_scheduled(data))
