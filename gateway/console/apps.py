from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The console as an app of Django: its templates, its commands, its own rows."""

    name = "gateway.console"
    label = "console"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen for who signs in, and check how it is set up."""
        from gateway.console import checks, sign_ins  # noqa: F401, PLC0415 - they need the models
