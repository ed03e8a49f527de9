"""Where notifications answer."""

from django.urls import path

from gateway.kumulos.notifications.views import Notifications

routes = [
    path("notifications", Notifications.as_view({"post": "create"})),
    path(
        "notifications/<str:notification_id>/install-opens",
        Notifications.as_view({"get": "install_opens"}),
    ),
    path(
        "notifications/<str:notification_id>/user-opens",
        Notifications.as_view({"get": "user_opens"}),
    ),
]
