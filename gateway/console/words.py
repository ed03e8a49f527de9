"""Audiences, schedules and messages as an operator reads them."""

from collections.abc import Sequence
from typing import Any

from crm.models import Channel, Segment
from crm.segments.explain import explain
from crm.segments.rules import BadRule, parse
from delivery.audience import Audience

MOST_NAMED = 5


def audience_words(audience: Audience, *, app_id: int) -> Sequence[str]:
    """Say whom an audience names, and who is left out, a line each."""
    said = ["everyone"] if audience.everybody else []
    if audience.segment_ids and not audience.everyone:
        said += _segments(audience.segment_ids, app_id=app_id)
    if audience.channel_ids and not audience.everyone:
        known = Channel.objects.filter(app=app_id, pk__in=audience.channel_ids).order_by("pk")
        said.append(f"subscribers of {_listed([str(one) for one in known])}")
    for noun, names in (
        ("users", audience.user_uids),
        ("users by our id", audience.user_ids),
        ("users by your id", audience.external_ids),
        ("installs", audience.install_uids),
    ):
        if names and not audience.everyone:
            said.append(f"{len(names):,} {noun}: {_listed([str(one) for one in names])}")
    if audience.any_tags:
        said.append(f"users tagged {_listed(audience.any_tags, 'or')}")
    if audience.all_tags:
        said.append(f"users tagged {_listed(audience.all_tags, 'and')}")
    return [*said, *_left_out(audience)]


def _left_out(audience: Audience) -> list[str]:
    said = []
    if audience.except_install_uids:
        n = len(audience.except_install_uids)
        said.append(f"without {n:,} installs: {_listed(audience.except_install_uids)}")
    if audience.except_tags:
        said.append(f"without users tagged {_listed(audience.except_tags, 'or')}")
    if audience.devices is not None:
        said.append(f"only devices of {_listed(audience.devices.transports)}")
    return said


def _segments(ids: Sequence[int], *, app_id: int) -> list[str]:
    found = Segment.objects.filter(app=app_id, pk__in=ids).order_by("pk")
    said = [f"segment “{one.name}”: {_rule(one.rule)}" for one in found]
    gone = len(set(ids)) - len(said)
    return [*said, *([f"{gone} segments that are gone: nobody"] if gone else [])]


def _rule(rule: Any) -> str:
    try:
        return explain(parse(rule))
    except BadRule:
        return "a rule that cannot be read"


def _listed(names: Sequence[str], word: str = "and") -> str:
    shown = [name if len(name) <= 60 else f"{name[:57]}…" for name in names[:MOST_NAMED]]
    if len(names) > MOST_NAMED:
        return f"{', '.join(shown)} and {len(names) - MOST_NAMED:,} more"
    return f" {word} ".join(shown)


def preview_of(stored: dict[str, Any]) -> dict[str, Any]:
    """Give what a phone shows of a stored message: title, body, image and buttons, as far as known.

    Content in a provider's own form is looked through for what the provider shows by itself.
    """
    if "in_app" in stored:
        inbox = stored.get("inbox") or {}
        return {"title": inbox.get("title") or stored["in_app"], "body": "in-app message"}
    if "raw" not in stored:
        return {
            "title": stored["title"],
            "body": stored["body"],
            "image": stored.get("image"),
            "buttons": [one["text"] for one in stored.get("buttons", ())],
        }
    return _raw(stored["payload"])


def _raw(payload: Any) -> dict[str, Any]:
    at = _at(payload, "aps", "alert")
    if isinstance(at, str):
        return {"title": "", "body": at}
    for place in (at, _at(payload, "notification"), _at(payload, "data")):
        if isinstance(place, dict) and (place.get("body") or place.get("message")):
            body = place.get("body") or place["message"]
            return {"title": str(place.get("title", "")), "body": str(body)}
    return {"title": "", "body": "content in the provider's own form"}


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
