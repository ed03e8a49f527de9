"""Which notification a payload belongs to, read the way a Kumulos SDK finds it."""

import json
from typing import Any


def in_apns(payload: Any) -> int | None:
    """Return the notification id inside an APNs payload."""
    custom = payload.get("custom") if isinstance(payload, dict) else None
    return _in_custom(custom)


def in_fcm(data: Any) -> int | None:
    """Return the notification id inside the data of an FCM message."""
    text = data.get("custom") if isinstance(data, dict) else None
    if not isinstance(text, str):
        return None
    try:
        return _in_custom(json.loads(text))
    except ValueError:
        return None


def _in_custom(custom: Any) -> int | None:
    place = custom
    for key in ("a", "k.message", "data", "id"):
        place = place.get(key) if isinstance(place, dict) else None
    return place if isinstance(place, int) and not isinstance(place, bool) else None
