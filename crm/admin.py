"""Raw rows of people and devices, for operators."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.utils import timezone

from crm.commands.apps import check_prompts
from crm.commands.channels import NAMELESS
from crm.desk import Desk
from crm.errors import Invalid
from crm.models import App, Channel, DeviceToken, Event, Install, Segment, User
from crm.models.membership import Role
from crm.rule_widget import RuleWidget
from crm.segments.explain import explain
from crm.segments.rules import BadRule, parse


class AppForm(forms.ModelForm):
    """What `manage.py set_app` sets, under the same rules."""

    def clean_web_prompts(self) -> dict[str, Any]:
        """Refuse anything but an object; an empty box is an empty one."""
        said = self.cleaned_data["web_prompts"]
        prompts = {} if said is None else said
        try:
            check_prompts(prompts)
        except Invalid as error:
            raise forms.ValidationError(str(error)) from error
        return dict(prompts)


@admin.register(App)
class AppAdmin(Desk):
    app_path = "pk"
    form = AppForm
    list_display = ["name", "id", "api_key", "created_at"]
    readonly_fields = ["api_key", "web_push_public_key", "created_at"]
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def has_add_permission(self, request: object) -> bool:  # noqa: ARG002 - Django's signature
        """Apps come with keys: `manage.py create_app` shows them once."""
        return False


@admin.register(User)
class UserAdmin(Desk):
    list_display = ["uid", "app", "anonymous", "last_active_at"]
    search_fields = ["uid__exact"]
    exclude = ["password"]


@admin.register(Install)
class InstallAdmin(Desk):
    list_display = ["uid", "app", "user", "os", "app_version", "last_active_at"]
    search_fields = ["uid__exact"]
    raw_id_fields = ["user"]
    list_select_related = ["app", "user"]


@admin.register(DeviceToken)
class DeviceTokenAdmin(Desk):
    list_display = ["id", "app", "transport", "environment", "topic", "state", "state_reason"]
    list_filter = ["transport", "state"]
    raw_id_fields = ["install"]
    exclude = ["value"]
    readonly_fields = ["value_digest"]
    list_select_related = ["app"]


class ChannelForm(forms.ModelForm):
    """A channel under the rule the API has, too."""

    def clean(self) -> dict[str, Any]:
        """Require a name where it would be shown."""
        asked = super().clean() or {}
        if asked.get("show_in_portal") and not asked.get("name"):
            self.add_error("name", NAMELESS)
        return asked


@admin.register(Channel)
class ChannelAdmin(Desk):
    needs = {**Desk.needs, "add": Role.SENDER, "change": Role.SENDER}
    form = ChannelForm
    list_display = ["uuid", "name", "app", "show_in_portal"]
    search_fields = ["uuid__exact", "name__exact"]
    readonly_fields = ["created_at", "updated_at"]
    list_select_related = ["app"]


@admin.register(Event)
class EventAdmin(Desk):
    list_display = ["type", "install_uid", "user_uid", "happened_at", "received_at"]
    search_fields = ["install_uid__exact"]


class SegmentForm(forms.ModelForm):
    """A segment whose rule can be followed."""

    def clean_rule(self) -> dict[str, Any]:
        """Name every bad node of the rule."""
        rule = self.cleaned_data["rule"]
        try:
            parse(rule)
        except BadRule as bad:
            said = [f"{at}: {reason}" for at, why in bad.reasons.items() for reason in why]
            raise forms.ValidationError(said) from bad
        return dict(rule)


class SegmentAdmin(Desk):
    """Registered by `delivery`, which can also count what rules ask of pushes."""

    needs = {**Desk.needs, "add": Role.SENDER, "change": Role.SENDER, "delete": Role.SENDER}
    form = SegmentForm
    formfield_overrides = {models.JSONField: {"widget": RuleWidget}}
    list_display = ["name", "id", "app", "updated_at"]
    search_fields = ["name", "uuid__exact"]
    readonly_fields = ["uuid", "explanation", "created_at", "updated_at"]
    list_select_related = ["app"]

    def save_model(self, request: Any, obj: Segment, form: Any, change: Any) -> None:
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)

    @admin.display(description="in words")
    def explanation(self, segment: Segment) -> str:
        return explain(parse(segment.rule)) if segment.pk else "-"
