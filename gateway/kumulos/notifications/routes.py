"""Where notifications answer."""

from django.urls import path

from gateway.kumulos.notifications.v2.views import NotificationsV2
from gateway.kumulos.notifications.views import Notifications
from gateway.kumulos.notifications.why import Why

routes = [
    path("notifications", Notifications.as_view({"get": "browse", "post": "create"})),
    path(
        "notifications/<str:notification_id>",
        Notifications.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path(
        "notifications/<str:notification_id>/install-opens",
        Notifications.as_view({"get": "install_opens"}),
    ),
    path(
        "notifications/<str:notification_id>/user-opens",
        Notifications.as_view({"get": "user_opens"}),
    ),
    path("notifications/<str:notification_id>/why", Why.as_view({"get": "retrieve"})),
    path("v2/notifications", NotificationsV2.as_view({"post": "create"})),
    path(
        "v2/notifications/<str:notification_id>",
        NotificationsV2.as_view({"get": "retrieve", "delete": "destroy"}),
    ),
]
