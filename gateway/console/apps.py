from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The console as an app of Django: its templates, its own rows."""

    name = "gateway.console"
    label = "console"
    default_auto_field = "django.db.models.BigAutoField"
