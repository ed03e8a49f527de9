from django.apps import AppConfig


class CrmConfig(AppConfig):
    """The ground floor."""

    name = "crm"
    verbose_name = "People and devices"
    default_auto_field = "django.db.models.BigAutoField"
