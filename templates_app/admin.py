"""In-app templates, for operators."""

from django.contrib import admin

from crm.desk import Desk
from crm.models.membership import Role
from templates_app.models import Template


@admin.register(Template)
class TemplateAdmin(Desk):
    needs = {**Desk.needs, "add": Role.SENDER, "change": Role.SENDER, "delete": Role.SENDER}
    by_app = False
    list_display = ["name", "uid", "app", "updated_at"]
    search_fields = ["uid"]
    search_help_text = "the whole uid"
    list_select_related = ["app"]
    readonly_fields = ["created_at", "updated_at"]
