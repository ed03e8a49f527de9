"""Which request, which command, which response."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from crm.commands.user_devices import subscribe_device, subscriptions_of, unsubscribe_device
from gateway.connectycube.schema import BAD_REQUEST, FORBIDDEN, INVALID, NOT_FOUND, UNAUTHORISED
from gateway.connectycube.subscriptions.answers import SubscriptionAnswer, SubscriptionFields
from gateway.connectycube.subscriptions.requests import read_subscription
from gateway.connectycube.subscriptions.responses import subscriptions_body
from gateway.connectycube.viewset import UserViewSet
from gateway.rest.idempotency import once_per_key
from gateway.rest.rendering import Response


class Subscriptions(UserViewSet):
    """The subscriptions of whoever is signed in."""

    @extend_schema(
        summary="Subscribe a device to pushes",
        request=SubscriptionFields,
        responses={
            201: SubscriptionAnswer(many=True),
            400: BAD_REQUEST,
            401: UNAUTHORISED,
            403: FORBIDDEN,
            422: INVALID,
        },
    )
    @once_per_key
    def create(self, request: Request) -> Response:
        """Subscribe a device: the rows of this call, one for each channel."""
        del request
        ask = read_subscription(self.body(), user=self.author)
        tokens = subscribe_device(ask.device, ask.addresses, details=ask.details)
        return Response(subscriptions_body(tokens), status=201)

    @extend_schema(
        summary="List the user's subscriptions",
        responses={200: SubscriptionAnswer(many=True), 401: UNAUTHORISED, 403: FORBIDDEN},
    )
    def browse(self, request: Request) -> Response:
        """List what reaches the user, oldest first."""
        del request
        return Response(subscriptions_body(subscriptions_of(self.author)))

    @extend_schema(
        summary="End a subscription",
        responses={200: None, 401: UNAUTHORISED, 403: FORBIDDEN, 404: NOT_FOUND},
    )
    def destroy(self, request: Request, subscription_id: int) -> Response:
        """Reach the device no more."""
        del request
        unsubscribe_device(self.author, subscription_id)
        return Response(status=200)
