"""What a push holds for the app itself, the same through every provider (contracts/kumulos §4)."""

from delivery.message import Json, Message


def for_app(message: Message, notification_id: int) -> Json:
    """Give the object the app's SDK reads: the caller's data, and keys of ours, which win."""
    said: Json = {
        **(message.data or {}),
        "k.message": {"type": 1, "data": {"id": notification_id}},
    }
    if message.buttons:
        said["k.buttons"] = [{"id": one.id, "text": one.text} for one in message.buttons]
    return said
