"""Allauth's forms in the theme's clothes."""

from typing import Any

from django import forms, template
from django.utils.safestring import SafeString
from unfold.widgets import BASE_INPUT_CLASSES, CHECKBOX_CLASSES

register = template.Library()


@register.filter
def themed(field: Any) -> SafeString:
    """Give a form's field as the theme draws it."""
    tick = isinstance(field.field.widget, forms.CheckboxInput)
    classes = " ".join(CHECKBOX_CLASSES if tick else BASE_INPUT_CLASSES)
    attrs = {"class": classes}
    if field.errors:
        attrs["aria-invalid"] = "true"
    drawn: SafeString = field.as_widget(attrs=attrs)
    return drawn
