"""The pages of the console, under `/admin/` and inside the admin's own names (`admin:why`)."""

from django.contrib import admin
from django.urls import URLPattern, path

from gateway.console.completing import Completions
from gateway.console.compose import routes as compose
from gateway.console.live import routes as live
from gateway.console.why import page as why


def console_urls() -> list[URLPattern]:
    """Give the routes the admin's site puts before its own."""
    signed_in = admin.site.admin_view
    return [
        path(
            "autocomplete/",
            signed_in(Completions.as_view(admin_site=admin.site)),
            name="autocomplete",
        ),
        path("why/", signed_in(why), name="why"),
        *compose.routes,
        *live.routes,
    ]
