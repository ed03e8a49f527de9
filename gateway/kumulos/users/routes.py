"""Where users and their attributes answer; an id may hold slashes, so fixed endings tell routes."""

from django.urls import path

from gateway.kumulos.users.views import Attributes, Users

routes = [
    path("v2/users", Users.as_view({"get": "browse"})),
    path("v2/users/<anything:uid>", Users.as_view({"get": "retrieve"})),
    path(
        "v1/users/<anything:uid>/attributes",
        Attributes.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
]
