"""Wire → command: a decoded body becomes a SendNotification, or every reason why not."""

from datetime import datetime, timedelta
from typing import Any

from crm.models import App
from delivery.audience import Audience
from delivery.commands.send import SendNotification
from delivery.message import Badge, BadgeChange, Message
from delivery.models import Notification
from delivery.models.notification import Lane
from delivery.schedule import NOW
from gateway.kumulos.notifications.fields import TARGET_KEYS, NotificationFields
from gateway.kumulos.notifications.moments import read_schedule, schedule_said
from gateway.kumulos.notifications.targets import NOBODY, read_audience

BADGE_CHANGES = {"setTo": BadgeChange.SET, "incrementBy": BadgeChange.INCREMENT}


def read_send(body: dict[str, Any], *, app: App, now: datetime) -> SendNotification:
    """Give the command a body asks for.

    Shapes are judged first and together, then what the body names is looked up (§5.0).
    """
    asked = NotificationFields.read(body)
    return read_ask(asked, app=app, audience=read_audience(app, asked), said=body, now=now)


def read_ask(
    asked: dict[str, Any], *, app: App, audience: Audience, said: dict[str, Any], now: datetime
) -> SendNotification:
    """Give the command for decoded fields; `said` holds the target keys as they were sent."""
    schedule = read_schedule(asked.get("schedule"), now=now)
    return SendNotification(
        app=app,
        source=Notification.Source.KUMULOS,
        message=read_message(asked),
        audience=NOBODY if schedule is None else audience,
        schedule=schedule or NOW,
        filters=read_filters(said, asked.get("schedule")),
        reporting_meta=asked.get("reportingMeta", {}),
        user_meta=read_user_meta(asked, audience),
        time_to_live=read_ttl(asked.get("ttl")),
        lane=Lane(asked["lane"]) if "lane" in asked else None,
    )


def read_filters(said: dict[str, Any], schedule: dict[str, Any] | None) -> dict[str, Any]:
    """Give what is answered in the caller's own words: the targets, and the schedule beside them.

    Our own Schedule has forgotten what was said of a moment that was past.
    """
    targets = {key: value for key, value in said.items() if key in TARGET_KEYS}
    return targets if schedule is None else {**targets, "schedule": schedule_said(schedule)}


def read_user_meta(asked: dict[str, Any], audience: Audience) -> dict[str, Any]:
    """Give what is said of the users named one by one; of others it is ignored (§6.27)."""
    named = set(audience.user_uids)
    return {uid: meta for uid, meta in asked.get("userMeta", {}).items() if uid in named}


def read_ttl(seconds: int | None) -> timedelta | None:
    """Give how long a push is tried; 0 means now or never, and trying once takes a moment."""
    return None if seconds is None else timedelta(seconds=max(seconds, 1))


def read_message(asked: dict[str, Any]) -> Message:
    """Give the content; an empty optional text is one that was not given."""
    return Message(
        title=asked["title"],
        body=asked["message"],
        url=asked.get("url") or None,
        data=asked.get("data"),
        background=asked.get("isBackground", False),
        badge=read_badge(asked.get("ios", {})),
        sound=asked.get("soundConfig", {}).get("iosSound") or None,
        high_priority=asked.get("android", {}).get("highPriority", False),
        collapse_id=asked.get("collapseId") or None,
    )


def read_badge(ios: dict[str, Any]) -> Badge | None:
    """Give the change of the badge; one cannot be set below 0 (§6.22)."""
    if not ios.get("hasBadge"):
        return None
    change, count = BADGE_CHANGES[ios["badgeType"]], ios["badgeCount"]
    return Badge(change=change, count=max(count, 0) if change is BadgeChange.SET else count)
