from django.apps import AppConfig


class TemplatesConfig(AppConfig):
    """In-app message templates."""

    name = "templates_app"
    verbose_name = "In-app templates"
    default_auto_field = "django.db.models.BigAutoField"
