"""The web server's entry point."""

import os

from django.core.wsgi import get_wsgi_application

from gateway.patience import bound_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
bound_statements()
application = get_wsgi_application()
