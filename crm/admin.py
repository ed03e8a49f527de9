"""Raw rows of people and devices, for operators."""

from django.contrib import admin

from crm.models import App, Channel, DeviceToken, Event, Install, User


@admin.register(App)
class AppAdmin(admin.ModelAdmin):
    list_display = ["name", "id", "api_key", "created_at"]
    readonly_fields = ["api_key", "created_at"]

    def has_add_permission(self, request: object) -> bool:  # noqa: ARG002 - Django's signature
        """Apps come with keys: `manage.py create_app` shows them once."""
        return False


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ["uid", "app", "anonymous", "last_active_at"]
    search_fields = ["uid__exact"]
    raw_id_fields = ["app"]
    exclude = ["password"]
    show_full_result_count = False


@admin.register(Install)
class InstallAdmin(admin.ModelAdmin):
    list_display = ["uid", "app", "user", "os", "app_version", "last_active_at"]
    search_fields = ["uid__exact"]
    raw_id_fields = ["app", "user"]
    list_select_related = ["app", "user"]
    show_full_result_count = False


@admin.register(DeviceToken)
class DeviceTokenAdmin(admin.ModelAdmin):
    list_display = ["id", "app", "transport", "environment", "topic", "state", "state_reason"]
    list_filter = ["transport", "state"]
    raw_id_fields = ["app", "install", "user"]
    exclude = ["value"]
    readonly_fields = ["value_digest"]
    list_select_related = ["app"]
    show_full_result_count = False


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin):
    list_display = ["uuid", "name", "app", "show_in_portal"]
    raw_id_fields = ["app"]


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):
    list_display = ["type", "install_uid", "user_uid", "happened_at", "received_at"]
    search_fields = ["install_uid__exact"]
    raw_id_fields = ["app"]
    show_full_result_count = False
