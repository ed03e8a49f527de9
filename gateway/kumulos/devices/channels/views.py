"""Which request, which command, which response."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from crm.commands.subscriptions import (
    Caller,
    create_joined_channel,
    join_channels,
    leave_channels,
    list_channels,
    replace_channels,
)
from gateway.kumulos.devices.channels.requests import (
    DeviceChannelFields,
    UuidsFields,
    read_all_uuids,
    read_install,
    read_new_channel,
    read_user,
    read_uuids,
)
from gateway.kumulos.devices.channels.responses import ListedAnswer, list_body, listed_body
from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.viewset import DeviceViewSet
from gateway.rest.body import json_object
from gateway.rest.idempotency import once_per_key
from gateway.rest.rendering import Response

DONE = OpenApiResponse(description="Done; SDKs read no body.")


class DeviceChannels(DeviceViewSet):
    """Channels as devices make them."""

    recorded = frozenset({"create"})

    @extend_schema(
        summary="Create a channel from a device",
        request=DeviceChannelFields,
        responses={201: ListedAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    @once_per_key
    def create(self, request: Request) -> Response:
        """Create a channel and subscribe whom the body names at once."""
        said, callers = read_new_channel(json_object(request), app=self.app)
        listed = create_joined_channel(app=self.app, callers=callers, **said)
        return Response(listed_body(listed), status=201)


class CallersChannels(DeviceViewSet):
    """Channels of whoever the path names; unknown ones are made known."""

    def caller(self, uid: str) -> Caller:
        """Give whom the device speaks for."""
        raise NotImplementedError

    @extend_schema(
        summary="List channels and whether the caller is in them",
        responses={200: ListedAnswer(many=True), 401: UNAUTHORISED, 422: INVALID},
    )
    def list(self, request: Request, uid: str) -> Response:
        """List named channels, and nameless ones the caller is in."""
        del request
        return Response(list_body(list_channels(self.caller(uid))))

    @extend_schema(
        summary="Subscribe to channels",
        request=UuidsFields,
        responses={204: DONE, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def join(self, request: Request, uid: str) -> Response:
        """Subscribe to all channels named, or to none."""
        join_channels(self.caller(uid), read_uuids(json_object(request)))
        return Response(status=204)

    @extend_schema(
        summary="Unsubscribe from channels",
        request=UuidsFields,
        responses={204: DONE, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def leave(self, request: Request, uid: str) -> Response:
        """Unsubscribe from all channels named, or from none."""
        leave_channels(self.caller(uid), read_uuids(json_object(request)))
        return Response(status=204)

    @extend_schema(
        summary="Be in these channels and no others",
        request=UuidsFields,
        responses={204: DONE, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def replace(self, request: Request, uid: str) -> Response:
        """Replace all subscriptions; no `uuids` means none."""
        replace_channels(self.caller(uid), read_all_uuids(json_object(request)))
        return Response(status=204)


class InstallChannels(CallersChannels):
    """Channels of one install and, where it leaves them, of its current user."""

    def caller(self, uid: str) -> Caller:
        """Give the install."""
        return read_install(self.app, uid)


class UserChannels(CallersChannels):
    """Channels of one user, who is anonymous as long as the id is an install's."""

    def caller(self, uid: str) -> Caller:
        """Give the user."""
        return read_user(self.app, uid)
