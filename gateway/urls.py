"""Which surface answers at which prefix; what nobody answers is refused as an API refuses."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView

from gateway import docs, health, last_resort
from gateway.console.urls import pages as console

operations = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
]
rows, label, namespace = admin.site.urls
pages = [
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", ([*console, *rows], label, namespace)),
    path("docs", RedirectView.as_view(url="/docs/")),
    path("docs/", docs.page),
    path("docs/openapi.json", SpectacularJSONAPIView.as_view()),
]
urlpatterns = [
    *operations,
    *pages,
    path("", include("gateway.kumulos.urls")),
    path("", include("gateway.connectycube.urls")),
    re_path(r"", last_resort.no_such_route),
]

handler500 = "gateway.last_resort.server_error"
