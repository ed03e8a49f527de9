"""`GET /v1/web/config`: what a web page asks for before it subscribes (contracts/kumulos §2.4)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.fields import Field
from rest_framework.request import Request

from crm.models import App
from gateway.kumulos.schema import UNAUTHORISED
from gateway.kumulos.viewset import DeviceViewSet
from gateway.rest.rendering import Response


class WebConfigAnswer(serializers.Serializer[Any]):
    """The configuration, for the OpenAPI page."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the keys in their documented order."""
        return {
            "publicKey": serializers.CharField(),
            "iconUrl": serializers.CharField(allow_null=True),
            "prompts": serializers.DictField(),
            "safariPushId": serializers.CharField(allow_null=True),
        }


class WebConfig(DeviceViewSet):
    """How an app's web pages ask for permission and subscribe; SDKs keep it for an hour."""

    @extend_schema(
        summary="Read the web push configuration",
        responses={200: WebConfigAnswer, 401: UNAUTHORISED},
    )
    def retrieve(self, request: Request) -> Response:
        """Give the app's own configuration."""
        del request
        return Response(web_config_body(self.app))


def web_config_body(app: App) -> dict[str, Any]:
    """Give the documented members; what nobody set is null."""
    return {
        "publicKey": app.web_push_public_key,
        "iconUrl": app.web_icon_url or None,
        "prompts": app.web_prompts,
        "safariPushId": app.safari_push_id or None,
    }
