"""Who is named, and who is left out."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from delivery.errors import NobodyNamed


@dataclass(frozen=True, kw_only=True, slots=True)
class Devices:
    """Which of an audience's devices one notification goes to.

    Only tokens of these transports and, where one is given, of this environment. People with a
    reachable token of `unless_transport` in it are left out: whoever gets a call as a call gets no
    ordinary push besides (contracts/connectycube §7.3).
    """

    transports: tuple[str, ...]
    environment: str = ""
    unless_transport: str = ""

    def __post_init__(self) -> None:
        """Refuse to leave no device."""
        if not self.transports:
            raise NobodyNamed

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read the stored form back."""
        return cls(**{**stored, "transports": tuple(stored["transports"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Audience:
    """The people and installs one notification is for.

    `everyone` overrides all other names. Whoever is in any of the channels and in any of the
    segments belongs to it, where both are named; so does whoever has one of `any_tags` and each of
    `all_tags`; explicit installs and users are added. `external_ids` are callers' names for users
    or the numbers they gave them, `user_ids` are ours. Unknown names are nobody's.

    `except_install_uids` takes installs out of channels and segments only (contracts/kumulos §5.1);
    `except_tags` takes users out of everything (contracts/connectycube §7.5), and out of everyone
    where nobody else is named. An audience that names nobody cannot be built.
    """

    everyone: bool = False
    install_uids: tuple[str, ...] = ()
    user_uids: tuple[str, ...] = ()
    user_ids: tuple[int, ...] = ()
    external_ids: tuple[str, ...] = ()
    channel_ids: tuple[int, ...] = ()
    segment_ids: tuple[int, ...] = ()
    any_tags: tuple[str, ...] = ()
    all_tags: tuple[str, ...] = ()
    except_install_uids: tuple[str, ...] = ()
    except_tags: tuple[str, ...] = ()
    devices: Devices | None = None

    def __post_init__(self) -> None:
        """Refuse to name nobody."""
        if not (self.everybody or self.one_by_one or self.grouped or self.tagged):
            raise NobodyNamed

    @property
    def everybody(self) -> bool:
        """Whether all of the app are meant, less the excluded."""
        others = self.one_by_one or self.grouped or self.tagged
        return self.everyone or bool(self.except_tags and not others)

    @property
    def one_by_one(self) -> int:
        """How many names of single installs and users there are."""
        named = (self.install_uids, self.user_uids, self.user_ids, self.external_ids)
        return sum(map(len, named))

    @property
    def grouped(self) -> bool:
        """Whether channels or segments are named."""
        return bool(self.channel_ids or self.segment_ids)

    @property
    def tagged(self) -> bool:
        """Whether tags say who belongs to it."""
        return bool(self.any_tags or self.all_tags)

    @property
    def named(self) -> int | None:
        """How many are named one by one; None when the number is not in the ask."""
        if self.everybody or self.grouped or self.tagged:
            return None
        return self.one_by_one

    def names_at_most(self, most: int) -> bool:
        """Say whether no more than so many are named one by one, and nobody else."""
        return self.named is not None and self.named <= most

    def as_json(self) -> dict[str, Any]:
        """Give the stored form, without what was not said."""
        said = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.devices is not None:
            said["devices"] = {k: v for k, v in asdict(self.devices).items() if v}
        return {name: value for name, value in said.items() if value}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read the stored form back."""
        said: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored.items()
        }
        if "devices" in said:
            said["devices"] = Devices.from_json(said["devices"])
        return cls(**said)
