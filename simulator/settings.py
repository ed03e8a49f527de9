"""Standing conditions of each provider: limits, clocks and latencies a script may change."""

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar


class Unfit(ValueError):
    """What was asked of the simulator makes no sense; the text says why."""


@dataclass(frozen=True, slots=True)
class ApnsSettings:
    """How the APNs side behaves when no rule says otherwise."""

    environment: str = "any"  # any | production | sandbox; `any` believes the host name asked for
    max_streams: int = 1000  # observed on the real service: 500, 1000 and 1500
    initial_max_streams: int = 1  # Apple: one stream until the first push with a valid token
    over_limit: str = "goaway"  # goaway (code 7, as observed) | refuse (RST_STREAM REFUSED_STREAM)
    strict_stream_limit_after_reject: bool = False
    initial_window: int = 65_535
    window_update_delay_ms: int = 0
    latency_ms: int = 0  # before a request is looked at
    known_tokens_only: bool = False
    disconnect_after_bad_tokens: int = 0  # in a row, on one connection; 0 never
    clock_offset_s: int = 0
    token_update_interval_s: int = 1200


@dataclass(frozen=True, slots=True)
class FcmSettings:
    """How the FCM and OAuth side behaves when no rule says otherwise."""

    max_streams: int = 100
    over_limit: str = "refuse"
    initial_window: int = 65_535
    window_update_delay_ms: int = 0
    latency_ms: int = 0
    known_tokens_only: bool = False
    bearer_lifetime_s: int = 3599
    clock_offset_s: int = 0
    quota_per_minute: int = 600_000
    device_quota_per_minute: int = 0  # 0 unlimited; Google documents 240 for one Android device


CHOICES = {
    "environment": {"any", "production", "sandbox"},
    "over_limit": {"goaway", "refuse"},
}

S = TypeVar("S", ApnsSettings, FcmSettings)


def amended(settings: S, changes: Any) -> S:
    """Return the settings with the changes made, or refuse an unknown or ill-typed one."""
    if not isinstance(changes, dict):
        raise Unfit("settings must be an object")
    known = {field.name: getattr(settings, field.name) for field in fields(settings)}
    for name, value in changes.items():
        if name not in known:
            raise Unfit(f"unknown setting {name!r}")
        if type(value) is not type(known[name]):
            raise Unfit(f"setting {name!r} must be of type {type(known[name]).__name__}")
        if name in CHOICES and value not in CHOICES[name]:
            raise Unfit(f"setting {name!r} must be one of {sorted(CHOICES[name])}")
        if type(value) is int and value < 0 and name != "clock_offset_s":
            raise Unfit(f"setting {name!r} must not be negative")
    return replace(settings, **changes)
