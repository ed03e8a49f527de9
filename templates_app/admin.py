"""Raw rows of in-app templates, for operators."""

from django.contrib import admin

from templates_app.models import Template


@admin.register(Template)
class TemplateAdmin(admin.ModelAdmin):
    list_display = ["name", "uid", "app", "updated_at"]
    raw_id_fields = ["app"]
