"""Who an event is for → our Audience, on one channel at a time (§7.3, §7.5)."""

from dataclasses import dataclass
from typing import Any

from delivery.audience import Audience, Devices
from gateway.connectycube.errors import BLANK, INVALID
from gateway.connectycube.members import Members
from gateway.connectycube.message_codec import Channel

MOST_NAMED = 50_000
"""Users that one call may name."""

MOST_TAGS = 1_000
INT4 = 2**31 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipients:
    """Who is named, and who is left out."""

    user_ids: tuple[int, ...] = ()
    external_ids: tuple[str, ...] = ()
    any_tags: tuple[str, ...] = ()
    all_tags: tuple[str, ...] = ()
    except_tags: tuple[str, ...] = ()

    def on(self, channel: Channel, environment: str, *, unless: str = "") -> Audience:
        """Give the audience of one channel: `unless` leaves out whoever is reached there."""
        devices = Devices(
            transports=(channel.transport.value,),
            environment=environment,
            unless_transport=unless,
        )
        return Audience(
            user_ids=self.user_ids,
            external_ids=self.external_ids,
            any_tags=self.any_tags,
            all_tags=self.all_tags,
            except_tags=self.except_tags,
            devices=devices,
        )


def read_recipients(members: Members) -> Recipients:
    """Give who is named; naming nobody is refused, unknown ids are skipped in silence."""
    user = members.inner("user")
    tags = user.inner("tags")
    ids = user.names("ids", at_most=MOST_NAMED)
    externals = members.inner("external_user").names("ids", at_most=MOST_NAMED)
    tagged = {word: tags.names(word, at_most=MOST_TAGS) for word in ("any", "all", "exclude")}
    if not all(_is_number(one) for one in ids):
        members.complain("ids", INVALID)
        ids = []
    if not (ids or externals or any(tagged.values())):
        members.complain("base", f"recipients {BLANK}")
    return Recipients(
        user_ids=tuple(int(one) for one in ids if len(one) <= LONGEST_ID and int(one) <= INT4),
        external_ids=tuple(externals),
        any_tags=tuple(tagged["any"]),
        all_tags=tuple(tagged["all"]),
        except_tags=tuple(tagged["exclude"]),
    )


LONGEST_ID = 10


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def read_tag_query(members: Members) -> Any:
    """Give what was said of tags, as it is answered."""
    return members.inner("user").get("tags")
