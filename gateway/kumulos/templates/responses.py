"""Domain → wire: a template and the tags its content wants filled in (seed 002)."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

from gateway.kumulos.moments import spell
from templates_app.content import find_tags
from templates_app.models import Template

Fields = dict[str, Field[Any, Any, Any, Any]]


def template_body(template: Template) -> dict[str, Any]:
    """Give one template, in the documented order."""
    return {
        "name": template.name,
        "uid": template.uid,
        "content": template.content,
        "dynamicContentTags": find_tags(template.content),
        "updatedAt": spell(template.updated_at),
        "createdAt": spell(template.created_at),
        "appId": template.app_id,
    }


def templates_body(page: Iterable[Template], *, total: int, number: int) -> dict[str, Any]:
    """Give one page of templates, in the form of the other lists."""
    return {
        "templates": [template_body(template) for template in page],
        "totalTemplates": total,
        "currentPage": number,
    }


class TemplateAnswer(serializers.Serializer[Any]):
    """One template, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "name": serializers.CharField(),
            "uid": serializers.CharField(),
            "content": serializers.DictField(),
            "dynamicContentTags": serializers.ListField(child=serializers.CharField()),
            "updatedAt": serializers.CharField(),
            "createdAt": serializers.CharField(),
            "appId": serializers.IntegerField(),
        }


class TemplatesAnswer(serializers.Serializer[Any]):
    """One page of templates, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in the order of the other lists."""
        return {
            "templates": TemplateAnswer(many=True),
            "totalTemplates": serializers.IntegerField(),
            "currentPage": serializers.IntegerField(),
        }
