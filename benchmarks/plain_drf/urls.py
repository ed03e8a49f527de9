"""Two routes and their views."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import path
from django.utils import timezone
from redis import Redis
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.models import App, DeviceToken, Event
from crm.sealing import fingerprint
from delivery.models import Notification, Occurrence

broker = Redis.from_url(os.environ["REDIS_URL"])


class Key(BasicAuthentication):
    """The key look-up."""

    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[Any, App]:
        """Give the app whose key it is."""
        del request
        app = App.objects.filter(api_key=userid, keys__fingerprint=fingerprint(password)).first()
        if app is None:
            raise AuthenticationFailed
        return None, app


class Events(APIView):
    """One row a post."""

    authentication_classes = [Key]
    permission_classes: list[Any] = []

    def post(self, request: Request, install_uid: str) -> Response:
        """Insert the event."""
        [told] = request.data
        Event.objects.create(
            app=request.auth,
            install_uid=install_uid,
            uuid=told["uuid"],
            type=told["type"],
            user_uid=told["userId"],
            data=told["data"],
            happened_at=datetime.fromtimestamp(told["timestamp"] / 1000, UTC),
        )
        return Response(status=202)


class Notifications(APIView):
    """One push a post."""

    authentication_classes = [Key]
    permission_classes: list[Any] = []

    def post(self, request: Request) -> Response:
        """Look for the device, insert what was asked and when it fires, and tell a worker."""
        asked, now = request.data, timezone.now()
        [uid] = asked["userIds"]
        device = DeviceToken.objects.get(app=request.auth, install__user__uid=uid)
        with transaction.atomic():
            notification = Notification.objects.create(
                app=request.auth,
                source=Notification.Source.KUMULOS,
                message={"title": asked["title"], "body": asked["message"], "data": asked["data"]},
                audience={"user_uids": [uid]},
                schedule={},
                filters={"userIds": [uid]},
                lane="urgent",
                time_to_live=timedelta(days=1),
            )
            firing = Occurrence.objects.create(
                notification=notification,
                due_at=now,
                expires_at=now + timedelta(days=1),
                ledger_day=now.date(),
            )
        broker.lpush("peer", json.dumps({"firing": firing.pk, "device": device.pk}))
        return Response({"id": notification.pk, **asked}, status=201)


urlpatterns = [
    path("v1/app-installs/<str:install_uid>/events", Events.as_view()),
    path("notifications", Notifications.as_view()),
]
