"""The vendor's names for what a push travels by."""

from enum import StrEnum

from delivery.providers.contract import Transport


class Channel(StrEnum):
    """A notification channel, as the wire names it."""

    APNS = "apns"
    APNS_VOIP = "apns_voip"
    GCM = "gcm"

    @property
    def transport(self) -> Transport:
        """The same in our words."""
        return Transport.FCM if self is Channel.GCM else Transport(self.value)
