"""A push as an Android phone shows it and as the SDK in its app reads it."""

import json
from typing import Any

from simulator.fcm.message import data_of
from simulator.phones.reading import Reading, button_texts, text_in


def read(message: dict[str, Any]) -> Reading:
    """Return what becomes of an FCM message on the phone."""
    notification = message.get("notification") or message.get("android", {}).get("notification")
    if notification:
        return Reading(
            title=text_in(notification, "title"),
            body=text_in(notification, "body"),
            image=text_in(notification, "image") or None,
            shown=True,
            complaint="a notification block is shown by the system; the SDK never sees it",
        )
    data = data_of(message)
    if "custom" not in data and data.get("message"):
        # ConnectyCube hands the pairs to the app, which shows this one; there are no receipts
        return Reading(body=data["message"], shown=True, woken=True)
    try:
        custom = json.loads(data.get("custom", ""))
    except ValueError:
        return Reading(complaint="ignored: no custom, or not JSON")
    return _read_custom(data, custom)


def _read_custom(data: dict[str, str], custom: Any) -> Reading:
    inner = custom.get("a") if isinstance(custom, dict) else None
    if not isinstance(inner, dict):
        return Reading(complaint="ignored: no object a")
    number = _number_in(inner)
    if number is None:
        return Reading(complaint="ignored: the notification id is not a number")
    title, body = data.get("title", ""), data.get("alert", "")
    return Reading(
        title=title,
        body=body,
        url=text_in(custom, "u") or None,
        image=data.get("bicon") or None,
        buttons=button_texts(inner.get("k.buttons")),
        notification_id=int32(number),
        shown=bool(title and body),
        woken=data.get("bgn") == "1",
        delivered=True,
    )


def _number_in(inner: dict[str, Any]) -> int | None:
    place: Any = inner
    for key in ("k.message", "data", "id"):
        place = place.get(key) if isinstance(place, dict) else None
    return int(place) if isinstance(place, int | float) and not isinstance(place, bool) else None


def int32(number: int) -> int:
    """Return the number as Java keeps it: large ones turn negative."""
    return (number + 2**31) % 2**32 - 2**31
