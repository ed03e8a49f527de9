"""`manage.py createsuperuser`: Django's own, whose change the audit log lays at somebody's door."""

from django.contrib.auth.management.commands import createsuperuser

from crm.management.recorded import Recorded


class Command(Recorded, createsuperuser.Command):
    """Django's own command, recorded."""
