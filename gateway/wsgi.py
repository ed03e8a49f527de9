"""The web server's entry point."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from gateway.env import one_clear_line
from gateway.garbage import spare_what_is_loaded
from gateway.metrics.family import family
from gateway.patience import bound_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
bound_statements()
with one_clear_line():
    application = get_wsgi_application()
    settings.SECRET_KEY  # noqa: B018 - reading it is the question
family.join("web", os.getppid())  # the server's processes have one parent
get_resolver().url_patterns  # noqa: B018 - all views are imported now, not by the first request
spare_what_is_loaded()
