"""Which surface answers at which prefix; what nobody answers is refused as an API refuses."""

from django.contrib import admin
from django.urls import path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView

from gateway import health, last_resort
from gateway.connectycube import urls as connectycube
from gateway.console.account_urls import accounts
from gateway.docs import views as docs
from gateway.kumulos import urls as kumulos

operations = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
]
pages = [
    path("admin", RedirectView.as_view(url="/admin/")),
    *accounts,  # before the admin, whose own sign-in page asks for no second factor
    path("admin/", admin.site.urls),
    path("docs", RedirectView.as_view(url="/docs/")),
    path("docs/", docs.contents),
    path("docs/api/", docs.reference),
    path("docs/openapi.json", SpectacularJSONAPIView.as_view()),
    path("docs/files/<path:name>", docs.picture),
    path("docs/<path:name>/", docs.page),
]
# one after another is asked whether a path is its own: the dialects have most of the requests
urlpatterns = [
    *kumulos.urlpatterns,
    *connectycube.urlpatterns,
    *operations,
    *pages,
    re_path(r"", last_resort.no_such_route),
]

handler500 = "gateway.last_resort.server_error"
