from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    """What is said, to whom, when, and what became of it."""

    name = "delivery"
    default_auto_field = "django.db.models.BigAutoField"
