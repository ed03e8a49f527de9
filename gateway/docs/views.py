"""The pages of the documentation, none of which needs any other host."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string

from gateway.docs.library import find_page, find_picture, shelves

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def contents(request: HttpRequest) -> HttpResponse:
    """Give the list of all pages."""
    return _page(request, "contents", title="Documentation")


def page(request: HttpRequest, name: str) -> HttpResponse:
    """Give one page of `docs/`."""
    found = find_page(name)
    if found is None:
        raise Http404
    return _page(request, "page", title=found.title, page=found)


def reference(request: HttpRequest) -> HttpResponse:
    """Give the page of the API; its script fetches the schema."""
    return _page(request, "reference", title="API")


def picture(request: HttpRequest, name: str) -> HttpResponse:
    """Give a picture of a page."""
    del request
    found = find_picture(name)
    if found is None:
        raise Http404
    content, media_type = found
    return HttpResponse(content, content_type=media_type)


def _page(request: HttpRequest, template: str, **shown: Any) -> HttpResponse:
    context = {**shown, "shelves": shelves()}
    html = render_to_string(f"gateway/docs/{template}.html", context, request=request)
    return HttpResponse(html, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})
