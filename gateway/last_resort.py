"""What no view answers, refused in the voice of the dialect that was spoken."""

from django.http import HttpRequest, HttpResponseBase

from gateway.connectycube import errors as cube
from gateway.kumulos import errors as kumulos


def no_such_route(request: HttpRequest) -> HttpResponseBase:
    """Answer 404 where no route is."""
    if cube.is_spoken(request):
        return cube.no_such_route(request)
    return kumulos.no_such_route(request)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500 without a word about its cause, which the log has."""
    if cube.is_spoken(request):
        return cube.server_error(request)
    return kumulos.server_error(request)
