"""Where in-app templates answer."""

from django.urls import path

from gateway.kumulos.templates.views import Templates

routes = [
    path("v1/templates/in-app", Templates.as_view({"get": "browse", "post": "create"})),
    path(
        "v1/templates/in-app/<anything:uid>",
        Templates.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
]
