"""What `manage.py check --deploy` says of how operators sign in."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks


@checks.register(checks.Tags.security, deploy=True)
def second_factor_is_required(app_configs: Any, **_: Any) -> Sequence[checks.CheckMessage]:
    """Warn where a password alone lets an operator in."""
    del app_configs
    if settings.REQUIRE_SECOND_FACTOR:
        return []
    hint = "Leave GATEWAY_REQUIRE_SECOND_FACTOR at 1."
    told = "Operators may sign in by password alone."
    return [checks.Warning(told, hint=hint, id="console.W001")]
