"""A message for every platform: parameters, some of which have a meaning."""

from dataclasses import dataclass, field
from typing import Any

from gateway.connectycube.message_codec import json_values
from gateway.connectycube.message_codec.parameters import READERS, Misread
from gateway.connectycube.message_codec.refusals import BLANK, refusal, wrong


@dataclass(frozen=True)
class Universal:
    """Parameters as sent; building one checks them, and raises `Invalid`.

    `said` holds those with a meaning, read; null is as good as not said.
    """

    params: dict[str, Any]
    said: dict[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            json_values.check(self.params)
        except json_values.Unfit as error:
            raise wrong(str(error)) from error
        object.__setattr__(self, "said", _read(self.params))
        if not self.message and not (self.wakes or self.wants_voip):
            raise refusal(BLANK)

    @property
    def message(self) -> str:
        """The text; empty where the push only wakes the app."""
        return str(self.said.get("message", ""))

    @property
    def wakes(self) -> bool:
        """Whether the app is woken in the background."""
        return bool(self.said.get("ios_content_available"))

    @property
    def wants_voip(self) -> bool:
        """Whether recipients with an `apns_voip` subscription are rung there."""
        return bool(self.said.get("ios_voip"))

    @property
    def expiration(self) -> int | None:
        """Unix seconds after which the push is worthless; None where that was not said."""
        return self.said.get("expiration")

    @property
    def custom(self) -> dict[str, Any]:
        """The other parameters: the app's own."""
        return {key: value for key, value in self.params.items() if key not in READERS}


def _read(params: dict[str, Any]) -> dict[str, Any]:
    said = {}
    for key, read in READERS.items():
        if (value := params.get(key)) is not None:
            try:
                said[key] = read(value)
            except Misread as error:
                raise wrong(f"{key} {error}") from error
    return said
