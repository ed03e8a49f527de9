"""A push as an iPhone shows it and as the Kumulos SDK reads it.

The Swift notification extension casts by force: what it does not expect crashes it, and the system
then shows the push as it came, without receipts. NSNull crashes the Objective-C SDK the same way.
"""

from typing import Any

from simulator.phones.reading import Reading, button_texts, text_in


class Crash(Exception):
    """The SDK would have crashed here."""


def read(payload: dict[str, Any]) -> Reading:
    """Return what becomes of an APNs payload on the phone."""
    raw = payload.get("aps")
    aps: dict[str, Any] = raw if isinstance(raw, dict) else {}
    alert = aps.get("alert")
    reading = Reading(body=alert) if isinstance(alert, str) else Reading()
    if isinstance(alert, dict):
        reading.title, reading.body = text_in(alert, "title"), text_in(alert, "body")
    reading.shown = bool(reading.title or reading.body)
    reading.woken = aps.get("content-available") == 1
    badge = aps.get("badge")
    reading.badge = badge if isinstance(badge, int) else None
    if "custom" not in payload:
        return reading  # from somebody else than Kumulos: shown, and nobody told
    try:
        _read_custom(reading, payload, extended=aps.get("mutable-content") == 1)
    except Crash as crash:
        reading.complaint = str(crash)
    return reading


def _read_custom(reading: Reading, payload: dict[str, Any], *, extended: bool) -> None:
    custom = _object(payload, "custom")
    inner = _object(custom, "a")
    message = _object(inner, "k.message")
    number = _object(message, "data").get("id")
    if not isinstance(number, int) or isinstance(number, bool):
        raise Crash(f"the notification id is {number!r}, not an integer")
    _no_nulls(custom, ("u", "badge_inc"))
    _no_nulls(inner, ("k.buttons",))
    _no_nulls(payload, ("attachments",))
    if number == 0 or message.get("type") != 1:
        reading.complaint = "ignored: not a push message, or its id is 0"
        return
    reading.notification_id = number
    reading.delivered = reading.badge_by_sdk = extended or reading.woken
    reading.url = text_in(custom, "u") or None
    increment = custom.get("badge_inc")
    reading.badge_increment = increment if isinstance(increment, int) else None
    if extended:
        reading.buttons = button_texts(inner.get("k.buttons"))
        reading.image = text_in(payload.get("attachments"), "pictureUrl") or None


def _object(place: dict[str, Any], key: str) -> dict[str, Any]:
    value = place.get(key)
    if not isinstance(value, dict):
        raise Crash(f"{key} is {value!r}, not an object")
    return value


def _no_nulls(place: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        if key in place and place[key] is None:
            raise Crash(f"{key} is null instead of absent")
