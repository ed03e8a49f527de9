"""Why did this user not get it: an addition of this gateway."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from delivery.reports import find_push
from delivery.why.answer import why_install, why_user
from delivery.why.findings import Answer, Device, Finding, Reason
from delivery.why.truth import Check
from gateway.kumulos.notifications.fields import Fields
from gateway.kumulos.notifications.views import read_id
from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.viewset import ServerViewSet
from gateway.rest.rendering import Response

ONE_OF_BOTH = "Say either installId or userId."


class WhyFindingAnswer(serializers.Serializer[Any]):
    """One thing that became of a push."""

    def get_fields(self) -> Fields:
        """Give the reason, the sentence and what is stored that says so."""
        return {
            "reason": serializers.ChoiceField(choices=[reason.value for reason in Reason]),
            "said": serializers.CharField(),
            "evidence": serializers.DictField(),
        }


class WhyDeviceAnswer(serializers.Serializer[Any]):
    """What became of a push on one install."""

    def get_fields(self) -> Fields:
        """Give the install, its findings, and how the audience sees it now."""
        return {
            "installId": serializers.CharField(),
            "os": serializers.CharField(),
            "findings": WhyFindingAnswer(many=True),
            "audience": serializers.DictField(),
        }


class WhyAnswer(WhyFindingAnswer):
    """The most telling finding, then what became of it on each device."""

    def get_fields(self) -> Fields:
        """Add whom it is about, and their devices."""
        return {
            "notificationId": serializers.IntegerField(),
            "userId": serializers.CharField(),
            **super().get_fields(),
            "devices": WhyDeviceAnswer(many=True),
        }


class Why(ServerViewSet):
    """The answer for a notification and a user or an install."""

    @extend_schema(
        operation_id="notifications_why",
        summary="Say why a user or an install did or did not get a notification",
        parameters=[OpenApiParameter("installId", str), OpenApiParameter("userId", str)],
        responses={200: WhyAnswer, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def retrieve(self, request: Request, notification_id: str) -> Response:
        """Answer from what is stored, with the evidence; the audience is judged as of now."""
        notification = find_push(self.app, read_id(notification_id))
        install, user = (request.query_params.get(key, "") for key in ("installId", "userId"))
        if bool(install) is bool(user):
            raise ValidationError({"installId": [ONE_OF_BOTH], "userId": [ONE_OF_BOTH]})
        now = timezone.now()
        if install:
            found = why_install(notification, app=self.app, install_uid=install, now=now)
        else:
            found = why_user(notification, app=self.app, user_uid=user, now=now)
        return Response(why_body(found))


def why_body(answer: Answer) -> dict[str, Any]:
    """Give an answer as JSON; moments in ISO 8601."""
    return {
        "notificationId": answer.notification.pk,
        "userId": answer.user.uid,
        **_finding(answer.headline),
        "devices": [_device(device) for device in answer.devices],
    }


def _device(device: Device) -> dict[str, Any]:
    return {
        "installId": device.install.uid,
        "os": device.install.os,
        "findings": [_finding(finding) for finding in device.findings],
        "audience": _check(device.audience),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "reason": finding.reason.value,
        "said": finding.said,
        "evidence": _plain(finding.evidence),
    }


def _check(check: Check) -> dict[str, Any]:
    said: dict[str, Any] = {"condition": check.said, "holds": check.holds}
    if check.known:
        said["known"] = _plain(check.known)
    if check.parts:
        said["parts"] = [_check(part) for part in check.parts]
    return said


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value
