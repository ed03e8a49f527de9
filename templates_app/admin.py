"""Raw rows of in-app templates, for operators."""

from django.contrib import admin

from crm.desk import Desk
from crm.models.membership import Role
from templates_app.models import Template


@admin.register(Template)
class TemplateAdmin(Desk):
    needs = {**Desk.needs, "add": Role.SENDER, "change": Role.SENDER, "delete": Role.SENDER}
    list_display = ["name", "uid", "app", "updated_at"]
    list_select_related = ["app"]
