from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """The surfaces through which people reach it."""

    name = "gateway"
