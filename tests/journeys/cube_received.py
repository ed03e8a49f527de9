"""What the message of each documented event is on a device (contracts/connectycube §9)."""

from dataclasses import dataclass
from typing import Any

IPHONE = "98559c1f3028b3fa0ec811d058cef16be27fe2fc507ca243b3d4fab006bfc9b8"
CALLED = "cd" * 32
JANES = "ef" * 32
ANDROID = "dQw4w9WgXcQ:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx"


OWN = "the credential's own"


@dataclass(frozen=True)
class FromApple:
    """A payload, and what its headers say."""

    payload: dict[str, Any]
    push_type: str = "alert"
    priority: str = "10"
    topic: str = OWN


@dataclass(frozen=True)
class FromGoogle:
    """What the app is handed; nothing is shown without it, for all of it is data."""

    data: dict[str, str]
    collapse_key: str = "event{gcm}"
    priority: str = "HIGH"
    beside: frozenset[str] = frozenset({"token", "data", "android"})


def read(record: dict[str, Any], *, own: str, gcm: int) -> FromApple | FromGoogle:
    """Give what the simulator has recorded, in the words of this page."""
    if record["provider"] == "apns":
        headers = record["headers"]
        return FromApple(
            record["payload"],
            headers["apns-push-type"],
            headers["apns-priority"],
            headers["apns-topic"].replace(own, OWN),
        )
    message = record["payload"]["message"]
    android = message["android"]
    return FromGoogle(
        message["data"],
        android["collapse_key"].replace(f"event{gcm}", "event{gcm}"),
        android["priority"].upper(),
        frozenset(message),
    )


FLOWERS = "Walking in a flowers garden"
GARDEN = {"alert": {"body": FLOWERS}}
FLOWERS_ON_IOS = FromApple({"aps": {**GARDEN, "badge": 2, "sound": "lounge.wav"}, "user_id": "51"})
HELLO = FromApple(
    {
        "aps": {"alert": "Hello world", "badge": 2},
        "dialog_id": "89y970c0912c123fed45652n",
        "user_id": 51,
    }
)
POKER = {"title": "Game Request", "body": "Bob wants to play poker"}
CALL = {"aps": {"alert": {"body": "Incoming call"}}, "call_id": "c-1"}
SALE = "50% off & more"

RECEIVED: dict[str, dict[str, FromApple | FromGoogle]] = {
    "event-create-read-edit-delete": {
        IPHONE: FromApple({"aps": {"alert": POKER, "badge": 5}, "acme1": "bar"}),
    },
    "event-ios": {IPHONE: HELLO},
    "event-form": {IPHONE: HELLO},
    "event-android": {ANDROID: FromGoogle({"message": "New message arrived"})},
    "event-android-pairs": {
        ANDROID: FromGoogle({"message": "New message arrived", "key2": "anothervalue2"}),
    },
    "event-universal": {
        IPHONE: FLOWERS_ON_IOS,
        ANDROID: FromGoogle({"message": FLOWERS, "user_id": "51"}),
    },
    "event-universal-text": {IPHONE: FromApple({"aps": GARDEN})},
    "event-one-channel": {
        IPHONE: FLOWERS_ON_IOS,
        ANDROID: FromGoogle({"message": "hello QuickBlox!"}),
    },
    "event-parameters": {
        IPHONE: FromApple(
            {
                "aps": {
                    "alert": {"body": SALE},
                    "badge": 5,
                    "sound": "lounge.wav",
                    "category": "offer",
                    "mutable-content": 1,
                },
                "price": 9.9,
                "on": True,
                "ids": [1, 2],
                "more": {"a": "b"},
                "none": None,
                "from": "us",
            }
        ),
        ANDROID: FromGoogle(
            {
                "message": SALE,
                "price": "9.90",
                "on": "true",
                "ids": "[1,2]",
                "more": '{"a":"b"}',
            }
        ),
    },
    # whoever can be called is called and nothing else; the others are pushed to
    "event-call": {
        CALLED: FromApple(CALL, push_type="voip", topic=f"{OWN}.voip"),
        JANES: FromApple(CALL),
        ANDROID: FromGoogle({"message": "Incoming call", "call_id": "c-1"}),
    },
    "event-wake-up": {
        IPHONE: FromApple(
            {"aps": {"content-available": 1}, "sync": "inbox"},
            push_type="background",
            priority="5",
            topic="com.example.garden",
        ),
        ANDROID: FromGoogle({"message": "", "sync": "inbox"}),
    },
}
"""By example, then by the address its subscription gave: one push each, and none elsewhere."""
