"""Which surface answers at which prefix; what nobody answers is refused as an API refuses."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView

from gateway import docs, health
from gateway.kumulos import errors

operations = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
]
pages = [
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("docs", RedirectView.as_view(url="/docs/")),
    path("docs/", docs.page),
    path("docs/openapi.json", SpectacularJSONAPIView.as_view()),
]
urlpatterns = [
    *operations,
    *pages,
    path("", include("gateway.kumulos.urls")),
    re_path(r"", errors.no_such_route),
]

handler500 = "gateway.kumulos.errors.server_error"
