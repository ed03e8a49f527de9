"""Refusals only delivery can give."""

from crm.errors import Invalid


class NobodyNamed(Invalid):
    """The audience names nobody."""

    def __init__(self) -> None:
        super().__init__("name at least one target", field="audience")


class MessageTooLarge(Invalid):
    """The message, as a provider would be given it, is over that provider's limit."""


class NobodyReached(Invalid):
    """Nobody who is named has a device a push could go to now."""

    def __init__(self) -> None:
        super().__init__("No one can receive the message")
