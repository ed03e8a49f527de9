#!/usr/bin/env python
"""The front door for operators: `manage.py create_app`, `set_credential`, `migrate`, ..."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    execute_from_command_line(sys.argv)
