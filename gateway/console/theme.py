"""How the admin looks and what its side bar leads to: settings of django-unfold, nothing more."""

from collections.abc import Callable
from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy


def leads(title: str, icon: str, to: str, *, needs: str = "") -> dict[str, Any]:
    """Give one line of the side bar; who may not see the list of model `needs` does not get it."""
    line: dict[str, Any] = {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{to}")}
    if needs:
        line["permission"] = _opens(needs)
    return line


def rows(title: str, icon: str, model: str) -> dict[str, Any]:
    """Give the line that leads to a model's list."""
    return leads(title, icon, f"{model}_changelist", needs=model)


def _opens(model: str) -> Callable[[Any], bool]:
    def opens(request: Any) -> bool:
        from django.apps import apps  # noqa: PLC0415 - settings are read before any app
        from django.contrib import admin  # noqa: PLC0415

        app_label, _, name = model.rpartition("_")
        desk = admin.site._registry.get(apps.get_model(app_label, name))  # noqa: SLF001
        return desk is not None and desk.has_view_permission(request)

    return opens


def _may_send(request: Any) -> bool:
    from crm import roles  # noqa: PLC0415 - settings are read before any app
    from crm.models.membership import Role  # noqa: PLC0415

    return bool(roles.apps_of(request.user, at_least=Role.SENDER))


NAVIGATION = [
    {
        "title": "Sending",
        "items": [
            leads("Overview", "monitoring", "index"),
            {**leads("Compose", "edit_notifications", "compose"), "permission": _may_send},
            rows("Notifications", "campaign", "delivery_notification"),
            leads("Why not?", "help", "why", needs="delivery_notification"),
            rows("Segments", "filter_alt", "crm_segment"),
            rows("Templates", "draft", "templates_app_template"),
        ],
    },
    {
        "title": "People and devices",
        "items": [
            rows("Users", "person", "crm_user"),
            rows("Installs", "smartphone", "crm_install"),
            rows("Device tokens", "key_vertical", "crm_devicetoken"),
            rows("Channels", "tag", "crm_channel"),
            rows("Device events", "touch_app", "crm_event"),
        ],
    },
    {
        "title": "Engine",
        "collapsible": True,
        "items": [
            rows("Firings", "schedule", "delivery_occurrence"),
            rows("Batches", "stacks", "delivery_batch"),
            rows("Inbox items", "inbox", "delivery_inboxitem"),
            rows("Breakers", "electrical_services", "delivery_breaker"),
        ],
    },
    {
        "title": "Webhooks",
        "items": [
            rows("Webhooks", "webhook", "delivery_webhook"),
            rows("Webhook deliveries", "outbound", "delivery_webhookdelivery"),
        ],
    },
    {
        "title": "Access",
        "items": [
            rows("Apps", "apps", "crm_app"),
            rows("Provider credentials", "vpn_key", "delivery_providercredential"),
            rows("Members", "group", "crm_membership"),
            rows("Operators", "manage_accounts", "auth_user"),
            rows("Audit log", "history", "crm_auditentry"),
        ],
    },
]

ACCOUNT = [
    {"title": "Second factor", "link": reverse_lazy("mfa_index")},
    {"title": "Where I am signed in", "link": reverse_lazy("usersessions_list")},
    {"title": "Change password", "link": reverse_lazy("admin:password_change")},
]

THEME: dict[str, Any] = {
    "SITE_TITLE": "Push gateway",
    "SITE_HEADER": "Push gateway",
    "SITE_SYMBOL": "notifications_active",
    "SITE_URL": None,
    "SHOW_BACK_BUTTON": True,
    "ACCOUNT": {"navigation": ACCOUNT},
    "SIDEBAR": {"show_search": True, "navigation": NAVIGATION},
    "DASHBOARD_CALLBACK": "gateway.console.overview.fill",
    "STYLES": [lambda _request: static("gateway/console.css")],
}
