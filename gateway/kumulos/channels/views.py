"""Which request, which command, which response."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from crm.commands.channels import change_channel, create_channel, delete_channel, find_channel
from crm.commands.subscriptions import subscribe, unsubscribe
from crm.models import Channel
from gateway.kumulos.channels.fields import ChannelFields, NewChannelFields, SubscribersFields
from gateway.kumulos.channels.requests import read_channel, read_new_channel, read_subscribers
from gateway.kumulos.channels.responses import (
    ChannelAnswer,
    ChannelsAnswer,
    channel_body,
    channels_body,
)
from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.viewset import ServerViewSet
from gateway.rest.body import json_object
from gateway.rest.idempotency import once_per_key
from gateway.rest.paging import page_parameters, read_page
from gateway.rest.rendering import Response

DONE = OpenApiResponse(description="Done; there is nothing to say.")


class Channels(ServerViewSet):
    """Channels of one app; `{channel_id}` is the id or else the uuid."""

    recorded = frozenset({"create", "update", "destroy"})

    @extend_schema(
        summary="Create a channel",
        request=NewChannelFields,
        responses={201: ChannelAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    @once_per_key
    def create(self, request: Request) -> Response:
        """Create a channel; its uuid must be new to the app."""
        said = read_new_channel(json_object(request))
        channel = create_channel(app=self.app, **said)
        return Response(channel_body(channel), status=201)

    @extend_schema(
        operation_id="channels_browse",
        summary="List the channels",
        parameters=page_parameters(required=False),
        responses={200: ChannelsAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    def browse(self, request: Request) -> Response:
        """List one page of channels, oldest first; an addition of this gateway."""
        page = read_page(request.query_params, required=False)
        channels = Channel.objects.filter(app=self.app).order_by("pk")
        shown = channels_body(channels[page.rows], total=channels.count(), page=page.number)
        return Response(shown)

    @extend_schema(
        summary="Read a channel",
        responses={200: ChannelAnswer, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def retrieve(self, request: Request, channel_id: str) -> Response:
        """Give one channel; an addition of this gateway."""
        del request
        return Response(channel_body(find_channel(app=self.app, name=channel_id)))

    @extend_schema(
        summary="Change a channel",
        request=ChannelFields,
        responses={200: ChannelAnswer, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def update(self, request: Request, channel_id: str) -> Response:
        """Change what the body says and keep the rest."""
        channel = find_channel(app=self.app, name=channel_id)
        said = read_channel(json_object(request))
        return Response(channel_body(change_channel(channel, **said)))

    @extend_schema(
        summary="Delete a channel",
        responses={204: DONE, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def destroy(self, request: Request, channel_id: str) -> Response:
        """Delete a channel with its subscriptions; sent notifications stay as they are."""
        del request
        delete_channel(find_channel(app=self.app, name=channel_id))
        return Response(status=204)

    @extend_schema(
        summary="Subscribe installs or users to a channel",
        request=SubscribersFields,
        responses={204: DONE, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def subscribe(self, request: Request, channel_id: str) -> Response:
        """Subscribe all who are named, or nobody; twice is as good as once."""
        channel = find_channel(app=self.app, name=channel_id)
        subscribe(channel, read_subscribers(json_object(request)))
        return Response(status=204)

    @extend_schema(
        summary="Unsubscribe installs or users from a channel",
        request=SubscribersFields,
        responses={204: DONE, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def unsubscribe(self, request: Request, channel_id: str) -> Response:
        """Unsubscribe all who are named, or nobody; the body of a DELETE is read."""
        channel = find_channel(app=self.app, name=channel_id)
        unsubscribe(channel, read_subscribers(json_object(request)))
        return Response(status=204)
