"""What the pages for signing in need to look like the admin's."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

ACCOUNT_PAGES = ("/admin/account/", "/admin/login/")


def account_pages(request: HttpRequest) -> dict[str, Any]:
    """Give the theme's own variables to the pages that are allauth's."""
    if not request.path_info.startswith(ACCOUNT_PAGES):
        return {}
    return admin.site.each_context(request)
