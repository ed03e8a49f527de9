"""`manage.py changepassword`: Django's own, whose change the audit log lays at somebody's door."""

from django.contrib.auth.management.commands import changepassword

from crm.management.recorded import Recorded


class Command(Recorded, changepassword.Command):
    """Django's own command, recorded."""
