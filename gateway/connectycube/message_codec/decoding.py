"""`event[message]` → a message of one of the three forms (contract §8.1)."""

from typing import Any

from gateway.connectycube.message_codec import json_values
from gateway.connectycube.message_codec.platform import APNS, FCM, Platform, read_apns, read_fcm
from gateway.connectycube.message_codec.refusals import BLANK, LONG, refusal, wrong
from gateway.connectycube.message_codec.universal import Universal
from gateway.connectycube.message_codec.values import unpacked

LONGEST = 1 << 17
"""Characters; what fits any provider's few kilobytes is far shorter, however it is escaped."""


def decode(text: object) -> Universal | Platform:
    """Give the message a text holds, whichever form it has; raises `Invalid` on `message`."""
    said = _text(text)
    form = said.lstrip()  # no base64 of UTF-8 begins with what a space may stand for
    if not form:
        raise refusal(BLANK)
    if form.startswith(f"{APNS}="):
        return read_apns(said)
    return read_fcm(said) if form.startswith(FCM) else _read_bare(form)


def _text(text: object) -> str:
    if text is None:
        raise refusal(BLANK)
    if not isinstance(text, str) or "\0" in text or not _is_unicode(text):
        raise refusal()
    if len(text) > LONGEST:
        raise refusal(LONG)
    return text


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _read_bare(value: str) -> Universal:
    try:
        said = unpacked(value)
    except ValueError as error:
        raise refusal() from error
    return Universal(_params(said))


def _params(said: str) -> dict[str, Any]:
    """Give a JSON object as parameters; any other text is the message itself."""
    if not said.removeprefix("\ufeff").lstrip().startswith("{"):
        return {"message": said}
    try:
        params: dict[str, Any] = json_values.read(said)
    except json_values.Unfit as error:
        raise wrong(str(error)) from error
    except ValueError:
        return {"message": said}
    return params
