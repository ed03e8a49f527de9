"""Who is named, and who is left out."""

from dataclasses import dataclass, fields
from typing import Any, Self

from delivery.errors import NobodyNamed


@dataclass(frozen=True, kw_only=True, slots=True)
class Audience:
    """The people and installs one notification is for.

    `everyone` overrides all other names. Whoever is in any of the channels and in any of the
    segments belongs to it, where both are named; explicit installs and users are added.
    `except_install_uids` takes installs out of channels and segments only (contracts/kumulos §5.1).
    An audience that names nobody cannot be built.
    """

    everyone: bool = False
    install_uids: tuple[str, ...] = ()
    user_uids: tuple[str, ...] = ()
    channel_ids: tuple[int, ...] = ()
    segment_ids: tuple[int, ...] = ()
    except_install_uids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse to name nobody."""
        if not (self.everyone or self.install_uids or self.user_uids or self.grouped):
            raise NobodyNamed

    @property
    def grouped(self) -> bool:
        """Whether channels or segments are named."""
        return bool(self.channel_ids or self.segment_ids)

    @property
    def named(self) -> int | None:
        """How many are named one by one; None when the number is not in the ask."""
        if self.everyone or self.grouped:
            return None
        return len(self.install_uids) + len(self.user_uids)

    def as_json(self) -> dict[str, Any]:
        """Give the stored form, without what was not said."""
        said = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in said.items() if value}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read the stored form back."""
        said: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored.items()
        }
        return cls(**said)
