"""Wire → command: the second shape becomes the first, and v1's readers do the rest."""

from datetime import datetime
from typing import Any

from rest_framework.exceptions import ValidationError

from crm.models import App, Install, User
from delivery.audience import Audience
from delivery.commands.send import SendNotification
from gateway.kumulos.notifications.requests import read_ask
from gateway.kumulos.notifications.targets import read_audience
from gateway.kumulos.notifications.v2.errors import NobodyThere
from gateway.kumulos.notifications.v2.fields import NotificationV2Fields


def read_send(body: dict[str, Any], *, app: App, now: datetime) -> SendNotification:
    """Give the command a body asks for; raises `NobodyThere` where v1 would skip in silence."""
    asked = NotificationV2Fields.read(body)
    flat = {**asked, **asked["content"], "isBackground": asked.get("runBackgroundHandler", False)}
    audience = read_target(app, asked["target"])
    return read_ask(flat, app=app, audience=audience, said=body["target"], now=now)


def read_target(app: App, asked: dict[str, Any]) -> Audience:
    """Give who is named; reasons stand under the key in which v2 boxes its targets."""
    try:
        audience = read_audience(app, asked)
    except ValidationError as error:
        raise ValidationError({"target": error.detail}) from error
    if audience.named is not None and not _anybody(app, audience):
        raise NobodyThere
    return audience


def _anybody(app: App, audience: Audience) -> bool:
    installs = Install.objects.filter(app=app, uid__in=audience.install_uids)
    users = User.objects.filter(app=app, uid__in=audience.user_uids)
    return installs.exists() or users.exists()
