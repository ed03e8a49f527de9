"""What ConnectyCube calls a transport: its notification channel; `fcm` is `gcm` by another name."""

from delivery.providers.contract import Transport

TRANSPORTS = {
    "apns": Transport.APNS.value,
    "apns_voip": Transport.APNS_VOIP.value,
    "gcm": Transport.FCM.value,
    "web": Transport.WEB.value,
}
NAMES = {transport: name for name, transport in TRANSPORTS.items()}
SYNONYMS = {"fcm": "gcm"}


def channel_name(said: str) -> str:
    """Give the one name of a channel, whichever it was called by."""
    lower = said.lower()
    return SYNONYMS.get(lower, lower)
