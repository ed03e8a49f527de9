"""Wire → commands: one ask for each channel an event may go out on (contracts/connectycube §7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crm.errors import Invalid
from crm.models import App, User
from delivery.audience import Audience
from delivery.commands.amend import Revision
from delivery.commands.send import SendNotification
from delivery.models import Notification
from gateway.connectycube.channels import channel_name
from gateway.connectycube.environments import OURS
from gateway.connectycube.errors import BLANK, INVALID, UNLISTED, UNSUPPORTED
from gateway.connectycube.events.recipients import Recipients, read_recipients, read_tag_query
from gateway.connectycube.events.timing import Timing, read_new_timing, read_timing
from gateway.connectycube.members import Members, open_envelope
from gateway.connectycube.message_codec import (
    Channel,
    Composed,
    Platform,
    Universal,
    compose,
    decode,
)

LONGEST_NAME = 255
LONGEST_TTL = 28 * 24 * 3600
SOURCE = Notification.Source.CONNECTYCUBE

Said = Mapping[str, Any]
Content = Universal | Platform


@dataclass(frozen=True, kw_only=True, slots=True)
class EventAsk:
    """An event, a command for each channel it may go out on; `push_type` where it names one."""

    sends: list[SendNotification]
    push_type: str | None


def read_event(said: Said, *, app: App, author: User, now: datetime) -> EventAsk:
    """Give what is asked for; every bad member is named at once, by its bare name."""
    members = Members(open_envelope(said, "event"))
    _check_type(members)
    push_type = _push_type(members)
    environment = _environment(members, app)
    timing = read_timing(members, now=now)
    recipients = read_recipients(members)
    name = members.text("name", at_most=LONGEST_NAME)
    content, composed = _content(members, push_type)
    ttl = _time_to_live(members, content, timing, now=now)
    members.check()
    words = {
        **timing.as_json(),
        "environment": environment,
        "tag_query": read_tag_query(members),
    }
    return EventAsk(
        sends=[
            SendNotification(
                app=app,
                source=SOURCE,
                author=author,
                name=name or "",
                message=one.message,
                audience=_audience(recipients, channel, environment, among=composed),
                schedule=timing.schedule,
                filters={**words, "channel": channel.value, "message": one.stored},
                time_to_live=ttl,
            )
            for channel, one in composed.items()
        ],
        push_type=push_type,
    )


def read_revision(said: Said, *, event: Notification, now: datetime) -> Revision:
    """Give what is to change of an event; keys that cannot be changed are ignored."""
    members, words = Members(open_envelope(said, "event")), event.filters
    known = Timing.from_json(words)
    timing = read_new_timing(members, known=known, now=now) or known
    name = members.text("name", at_most=LONGEST_NAME)
    active = members.flag("active")
    _, composed = _content(members, words["channel"]) if "message" in members else (None, {})
    members.check()
    new = timing.as_json()
    one = composed.get(Channel(words["channel"]))
    if one is not None:
        new["message"] = one.stored
    return Revision(
        app=event.app,
        notification_id=event.pk,
        source=SOURCE,
        active=active,
        message=one.message if one else None,
        # what a one-shot event says of dates is only kept
        schedule=timing.schedule if timing.schedule != known.schedule else None,
        name=name,
        filters={**words, **new},
    )


def _check_type(members: Members) -> None:
    kind = members.word("notification_type", ("push", "email"), required=True)
    if kind == "email":
        members.complain("notification_type", UNSUPPORTED)


def _push_type(members: Members) -> str | None:
    said = members.text("push_type", at_most=32)
    if said is None:
        return None
    name = channel_name(said)
    if name == "web":
        members.complain("push_type", UNSUPPORTED)
    elif name not in set(Channel):
        members.complain("push_type", UNLISTED)
    return name


def _environment(members: Members, app: App) -> str:
    said = members.word("environment", OURS)
    if said is None and "environment" not in members:
        said = app.cube_default_environment
        if not said:
            members.complain("environment", BLANK)
    return said or ""


def _content(
    members: Members, push_type: str | None
) -> tuple[Content | None, dict[Channel, Composed]]:
    """Give the message, and as each channel carries it that it may go out on."""
    if "message" not in members:
        members.complain("message", BLANK)
    if members.reasons.keys() & {"message", "push_type"}:
        return None, {}
    try:
        content = decode(members.get("message"))
        channels = [Channel(push_type)] if push_type else _channels(content)
        return content, {channel: compose(content, channel) for channel in channels}
    except Invalid as refusal:
        for key, reasons in refusal.reasons.items():
            members.complain(key, reasons[0])
        return None, {}


def _channels(content: Content) -> list[Channel]:
    """Give where a message goes that names no `push_type`; calls only where it asks for them."""
    if isinstance(content, Platform):
        return [content.channels[0]]
    if content.wants_voip:
        return [Channel.APNS_VOIP, Channel.APNS, Channel.GCM]
    return [Channel.APNS, Channel.GCM]


def _audience(
    recipients: Recipients, channel: Channel, environment: str, *, among: Mapping[Channel, object]
) -> Audience:
    # whoever is called is not pushed to as well (§7.3)
    called = channel is Channel.APNS and Channel.APNS_VOIP in among
    unless = Channel.APNS_VOIP.transport.value if called else ""
    return recipients.on(channel, OURS[environment], unless=unless)


def _time_to_live(
    members: Members, content: Content | None, timing: Timing, *, now: datetime
) -> timedelta | None:
    """Give how long each run is tried: `ttl` in seconds, else up to the message's `expiration`."""
    ttl = members.whole("ttl")
    if ttl is not None and not 0 <= ttl <= LONGEST_TTL:
        members.complain("ttl", INVALID)
    if ttl is not None:
        return timedelta(seconds=min(max(ttl, 1), LONGEST_TTL))
    if not isinstance(content, Universal) or content.expiration is None:
        return None
    begins = max(timing.schedule.at or now, now)
    left = content.expiration - begins.timestamp()
    return timedelta(seconds=min(max(left, 1), LONGEST_TTL))
