from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The console as an app of Django: its templates, its own rows."""

    name = "gateway.console"
    label = "console"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Give the admin our pages besides its own; the theme asks its site for them."""
        from django.contrib import admin  # noqa: PLC0415 - the theme has replaced it by now

        from gateway.console.urls import console_urls  # noqa: PLC0415 - views, after all models

        admin.site.extra_urls = console_urls  # type: ignore[attr-defined]
