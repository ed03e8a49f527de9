"""The web server's entry point."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from gateway.env import one_clear_line
from gateway.patience import bound_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
bound_statements()
with one_clear_line():
    application = get_wsgi_application()
    settings.SECRET_KEY  # noqa: B018 - reading it is the question
