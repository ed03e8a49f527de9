"""Target keys → our Audience; what they name is looked up in this app."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q
from rest_framework.exceptions import ValidationError

from crm.models import App, Channel, Segment
from delivery.audience import Audience
from gateway.kumulos.notifications.fields import INT4

NOBODY = Audience(install_uids=("",))
"""An audience without people: no device can have an empty install id (it would have no route)."""

Reasons = dict[str, list[str]]


def read_audience(app: App, asked: dict[str, Any]) -> Audience:
    """Give who is named; unknown channels and segments are refused, all at once.

    Unknown installs and users are skipped in silence: v1 has no answer for them (§6.21).
    """
    unknown_channels, channel_ids = _channels(app, asked)
    unknown_segments, segment_ids = _segment(app, asked)
    if reasons := unknown_channels | unknown_segments:
        raise ValidationError(reasons)
    return Audience(
        everyone=asked.get("broadcast", False),
        install_uids=_once(asked.get("installIds", [])),
        user_uids=_once(asked.get("userIds", [])),
        channel_ids=channel_ids,
        segment_ids=segment_ids,
        except_install_uids=_once(asked.get("excludeInstallIds", [])),
    )


def _channels(app: App, asked: dict[str, Any]) -> tuple[Reasons, tuple[int, ...]]:
    ids, uuids = asked.get("channelIds", []), asked.get("channelUuids", [])
    if not (ids or uuids):
        return {}, ()
    possible = [id_ for id_ in ids if 0 < id_ <= INT4]
    named = Channel.objects.filter(Q(id__in=possible) | Q(uuid__in=uuids), app=app)
    found = dict(named.values_list("id", "uuid"))
    unknown = {
        "channelIds": _first_unknown(ids, found.keys()),
        "channelUuids": _first_unknown(uuids, set(found.values())),
    }
    reasons = {key: [f"No such channel: {it}."] for key, it in unknown.items() if it is not None}
    return reasons, tuple(sorted(found))


def _segment(app: App, asked: dict[str, Any]) -> tuple[Reasons, tuple[int, ...]]:
    """Give the segment; where both of its names are said they must mean the same one."""
    found: dict[str, int | None] = {}
    if "segmentId" in asked:
        found["segmentId"] = _find_segment(app, id=asked["segmentId"])
    if "segmentUuid" in asked:
        found["segmentUuid"] = _find_segment(app, uuid=_uuid(asked["segmentUuid"]))
    reasons = {key: ["No such segment."] for key, id_ in found.items() if id_ is None}
    ids = {id_ for id_ in found.values() if id_ is not None}
    if not reasons and len(ids) > 1:
        reasons["segmentUuid"] = ["Names another segment than segmentId."]
    return reasons, tuple(ids)


def _find_segment(app: App, **named: Any) -> int | None:
    return Segment.objects.filter(app=app, **named).values_list("id", flat=True).first()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _first_unknown(named: Iterable[Any], known: Iterable[Any]) -> Any:
    return next((one for one in named if one not in known), None)


def _once(uids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(uids))
