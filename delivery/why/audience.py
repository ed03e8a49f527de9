"""An audience, judged for one person on one device: which part let them in or kept them out."""

from collections.abc import Iterator, Sequence

from django.db.models import Q

from crm.models import Channel, ChannelSubscription, DeviceToken, Segment
from crm.segments.rules import parse
from delivery.audience import Audience
from delivery.why.truth import Check, Person, all_of, any_of, judge_rule

SHOWN = 5
"""How many names of a long list are said."""


def judge_audience(audience: Audience, person: Person) -> Check:
    """Say whether an audience takes somebody in now, and by which of its parts.

    The same rules as `delivery.targeting.resolve`, which finds all of them at once; tests hold the
    two together.
    """
    return all_of(
        "belongs to the audience", [_included(audience, person), *_spared(audience, person)]
    )


def _included(audience: Audience, person: Person) -> Check:
    if audience.everybody:
        return Check(said="everybody is meant", holds=True)
    return any_of("is named in one way at least", list(_ways(audience, person)))


def _ways(audience: Audience, person: Person) -> Iterator[Check]:
    user = person.user
    if audience.install_uids:
        uid = person.install and person.install.uid
        holds = uid in audience.install_uids
        said = f"is one of the installs {_list(audience.install_uids)}"
        yield Check(said=said, holds=holds, known={"install": uid})
    if audience.user_uids:
        said = f"is one of the users {_list(audience.user_uids)}"
        yield Check(said=said, holds=user.uid in audience.user_uids, known={"user": user.uid})
    if audience.user_ids:
        said = f"is one of the users numbered {_list(audience.user_ids)}"
        yield Check(said=said, holds=user.pk in audience.user_ids, known={"number": user.pk})
    if audience.external_ids:
        yield _external(audience, person)
    if audience.tagged:
        yield _tagged(audience, person)
    if audience.grouped:
        yield _grouped(audience, person)


def _external(audience: Audience, person: Person) -> Check:
    user = person.user
    named = not user.uid_is_ours and user.uid in audience.external_ids
    number = str(user.external_user_id)
    numbered = user.external_user_id is not None and number in map(_plain, audience.external_ids)
    return Check(
        said=f"is known to the caller as one of {_list(audience.external_ids)}",
        holds=named or numbered,
        known={"external id": user.uid, "external user id": user.external_user_id},
    )


def _plain(number: str) -> str:
    # a caller may write 007
    digits = number.removeprefix("-")
    return str(int(number)) if digits.isdecimal() and digits.isascii() else number


def _tagged(audience: Audience, person: Person) -> Check:
    own = set(person.user.tags)
    parts = []
    if audience.any_tags:
        said = f"carries one of the tags {_list(audience.any_tags)}"
        parts.append(Check(said=said, holds=bool(own & set(audience.any_tags))))
    if audience.all_tags:
        said = f"carries all of the tags {_list(audience.all_tags)}"
        parts.append(Check(said=said, holds=own >= set(audience.all_tags)))
    [*first, last] = parts
    both = all_of("carries the tags asked for", parts) if first else last
    return Check(said=both.said, holds=both.holds, parts=both.parts, known={"tags": sorted(own)})


def _grouped(audience: Audience, person: Person) -> Check:
    parts = []
    if audience.channel_ids:
        parts.append(any_of("is in one of the channels", _channels(audience.channel_ids, person)))
    if audience.segment_ids:
        parts.append(any_of("is in one of the segments", _segments(audience.segment_ids, person)))
    if audience.except_install_uids:
        uid = person.install and person.install.uid
        left_out = uid in audience.except_install_uids
        said = f"is not one of the installs left out, {_list(audience.except_install_uids)}"
        parts.append(Check(said=said, holds=not left_out, known={"install": uid}))
    return all_of("is in the groups named", parts) if len(parts) > 1 else parts[0]


def _channels(ids: Sequence[int], person: Person) -> Sequence[Check]:
    channels = Channel.objects.filter(app=person.user.app_id, pk__in=ids).in_bulk()
    whose = Q(user=person.user) | Q(install=person.install, install__isnull=False)
    joined = ChannelSubscription.objects.filter(whose, channel__in=channels)
    since = dict(joined.values_list("channel", "created_at"))
    return [
        Check(
            said=f"is subscribed to channel {channels[id_] if id_ in channels else _gone(id_)}",
            holds=id_ in since,
            known={"subscribed": since.get(id_)},
        )
        for id_ in ids
    ]


def _segments(ids: Sequence[int], person: Person) -> Sequence[Check]:
    known = Segment.objects.filter(app=person.user.app_id, pk__in=ids).in_bulk()
    return [
        _segment(known[id_], person)
        if id_ in known
        else Check(said=f"is in segment {_gone(id_)}", holds=False)
        for id_ in ids
    ]


def _segment(segment: Segment, person: Person) -> Check:
    judged = judge_rule(parse(segment.rule), person)
    return Check(said=f"is in segment {segment.name}", holds=judged.holds, parts=[judged])


def _gone(id_: int) -> str:
    return f"{id_}, which is gone"


def _spared(audience: Audience, person: Person) -> Iterator[Check]:
    """Give what takes somebody out again."""
    if audience.except_tags:
        own = sorted(set(person.user.tags))
        said = f"carries none of the tags left out, {_list(audience.except_tags)}"
        holds = not set(own) & set(audience.except_tags)
        yield Check(said=said, holds=holds, known={"tags": own})
    devices = audience.devices
    if devices is not None and devices.unless_transport:
        others = DeviceToken.objects.reachable().filter(
            app=person.user.app_id,
            install__user=person.user,
            transport=devices.unless_transport,
        )
        if devices.environment:
            others = others.filter(environment=devices.environment)
        said = f"has no device that is reached by {devices.unless_transport} instead"
        yield Check(said=said, holds=not others.exists())


def _list(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:SHOWN]))
    more = len(names) - SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown
