"""Where segments answer."""

from django.urls import path

from gateway.kumulos.segments.views import Segments

routes = [
    path("v1/segments", Segments.as_view({"get": "browse", "post": "create"})),
    path("v1/segments/preview", Segments.as_view({"post": "preview"})),
    path(
        "v1/segments/<str:key>",
        Segments.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path("v1/segments/<str:key>/count", Segments.as_view({"get": "count"})),
]
