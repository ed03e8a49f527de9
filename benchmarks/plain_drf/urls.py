"""The one route and its view."""

from datetime import UTC, datetime
from typing import Any

from django.urls import path
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.models import App, Event
from crm.sealing import fingerprint


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


urlpatterns = [path("v1/app-installs/<str:install_uid>/events", Events.as_view())]
