"""Where in-app messages answer: backends that send them, and the SDKs that fetch them."""

from django.urls import path

from gateway.kumulos.cors import cross_origin
from gateway.kumulos.devices.inbox import Inbox
from gateway.kumulos.in_app.views import InAppMessages

routes = [
    path("v1/messages/in-app", InAppMessages.as_view({"get": "browse", "post": "create"})),
    path(
        "v1/messages/in-app/<str:message_id>",
        InAppMessages.as_view({"get": "retrieve", "delete": "destroy"}),
    ),
    path(
        "v1/users/<anything:user_uid>/messages",
        cross_origin(Inbox.as_view({"get": "browse"})),
    ),
]
