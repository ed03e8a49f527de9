"""Target keys → our Audience; what they name is looked up in this app."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from rest_framework.exceptions import ValidationError

from crm.models import App, Channel
from delivery.audience import Audience
from gateway.kumulos.notifications.fields import INT4

NOBODY = Audience(install_uids=("",))
"""An audience without people: no device can have an empty install id (it would have no route)."""


def read_audience(app: App, asked: dict[str, Any]) -> Audience:
    """Give who is named; unknown channels and segments are refused, all at once.

    Unknown installs and users are skipped in silence: v1 has no answer for them (§6.21).
    """
    reasons, channel_ids = _channels(app, asked)
    reasons |= {key: ["No such segment."] for key in ("segmentId", "segmentUuid") if key in asked}
    if reasons:
        raise ValidationError(reasons)
    return Audience(
        everyone=asked.get("broadcast", False),
        install_uids=_once(asked.get("installIds", [])),
        user_uids=_once(asked.get("userIds", [])),
        channel_ids=channel_ids,
        except_install_uids=_once(asked.get("excludeInstallIds", [])),
    )


def _channels(app: App, asked: dict[str, Any]) -> tuple[dict[str, list[str]], tuple[int, ...]]:
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


def _first_unknown(named: Iterable[Any], known: Iterable[Any]) -> Any:
    return next((one for one in named if one not in known), None)


def _once(uids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(uids))
