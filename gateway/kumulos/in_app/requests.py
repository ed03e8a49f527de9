"""Wire → command: a decoded body becomes the sending of a filled template, or reasons why not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rest_framework.exceptions import ValidationError

from crm.models import App
from delivery.audience import Audience
from delivery.commands.send import SendNotification
from delivery.message import InAppMessage, Json, Presented
from delivery.models import Notification
from delivery.schedule import NOW
from gateway.kumulos.in_app.fields import InAppFields
from gateway.kumulos.notifications.moments import read_schedule
from gateway.kumulos.notifications.requests import read_filters
from gateway.kumulos.notifications.targets import NOBODY, read_audience
from templates_app.content import find_tags
from templates_app.models import Template


def read_in_app(body: dict[str, Any], *, app: App, now: datetime) -> SendNotification:
    """Give the command a body asks for.

    Shapes are judged first and together, then what the body names is looked up (§5.0), and last
    whether everybody's message can be filled in and is still worth sending at its moment.
    """
    asked = InAppFields.read(body)
    template = find_template(app, asked["templateUid"])
    audience = read_audience(app, asked)
    schedule = read_schedule(asked.get("schedule"), now=now)
    refuse_gaps(template.content, audience, asked["dynamicContent"], asked["userDynamicContent"])
    refuse_late(asked["expiresAt"], sent_at=(schedule and schedule.at) or now)
    return SendNotification(
        app=app,
        source=Notification.Source.KUMULOS,
        message=read_message(asked, template),
        audience=NOBODY if schedule is None else audience,
        schedule=schedule or NOW,
        filters=read_filters(body, asked.get("schedule")),
        reporting_meta=asked["reportingMeta"],
        user_meta=asked["userDynamicContent"],
    )


def find_template(app: App, uid: str) -> Template:
    """Give the template; an unknown one is a bad value of `templateUid`."""
    template = Template.objects.filter(app=app, uid=uid).first()
    if template is None:
        raise ValidationError({"templateUid": [f"No such template: {uid}."]})
    return template


def refuse_gaps(content: Json, audience: Audience, values: Json, own: dict[str, Json]) -> None:
    """Refuse a template of which somebody would see the gaps, naming every tag without a value.

    A user's own values count only where all who are meant are named, one by one, as users.
    """
    only_users = not (audience.everyone or audience.install_uids or audience.grouped)
    missing = [tag for tag in find_tags(content) if tag not in values]
    if only_users:
        missing = [tag for tag in missing if not _given(tag, audience.user_uids, own)]
    if missing:
        raise ValidationError({"dynamicContent": [f"No value for: {', '.join(missing)}."]})


def _given(tag: str, user_uids: Sequence[str], own: dict[str, Json]) -> bool:
    return all(tag in own.get(uid, {}) for uid in user_uids)


def refuse_late(expires_at: datetime | None, *, sent_at: datetime) -> None:
    """Refuse a message nobody could be given any more."""
    if expires_at is not None and expires_at <= sent_at:
        raise ValidationError({"expiresAt": ["Must be after the message is sent."]})


def read_message(asked: dict[str, Any], template: Template) -> InAppMessage:
    """Give the content as the template has it now; later changes of it reach only later sends."""
    return InAppMessage(
        template_uid=template.uid,
        content=template.content,
        presented=Presented(asked["presentedWhen"]),
        values=asked["dynamicContent"],
        inbox=asked["inbox"],
        data=asked["data"],
        badge=asked["badge"],
        expires_at=asked["expiresAt"],
    )
