"""Segments: rules with a name, shown in words."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.utils import timezone

from crm.desk import Desk
from crm.models import Segment
from crm.models.membership import Role
from crm.rule_widget import RuleWidget
from crm.segments.explain import explain
from crm.segments.rules import BadRule, parse


class SegmentForm(forms.ModelForm):
    """A segment whose rule can be followed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk and "rule" in self.fields:
            # its app stays what it is, so the form has no field that names it
            self.fields["rule"].widget.attrs["data-app"] = str(self.instance.app_id)

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
    by_app = False
    form = SegmentForm
    formfield_overrides = {models.JSONField: {"widget": RuleWidget}}
    list_display = ["name", "id", "app", "in_words", "updated_at"]
    search_fields = ["name", "uuid"]
    search_help_text = "the whole name or uuid"
    readonly_fields = ["uuid", "explanation", "created_at", "updated_at"]
    list_select_related = ["app"]

    def save_model(self, request: Any, obj: Segment, form: Any, change: Any) -> None:
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)

    @admin.display(description="in words")
    def explanation(self, segment: Segment) -> str:
        return explain(parse(segment.rule)) if segment.pk else "-"

    @admin.display(description="rule")
    def in_words(self, segment: Segment) -> str:
        words = explain(parse(segment.rule))
        return f"{words[:119]}…" if len(words) > 120 else words
