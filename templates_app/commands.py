"""Create, replace and delete in-app templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from crm.errors import Conflict, NotFound
from crm.models import App
from templates_app.models import Template


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteTemplate:
    """Everything a caller says of a template; `content` is kept as it is."""

    uid: str
    name: str
    content: Mapping[str, Any]


def create_template(*, app: App, ask: WriteTemplate) -> Template:
    """Store a new template; raises `Conflict` where its uid is taken."""
    now = timezone.now()
    return _write(Template(app=app, created_at=now), ask, now=now)


@transaction.atomic
def replace_template(*, app: App, uid: str, ask: WriteTemplate) -> Template:
    """Put what is asked in the place of a template, a new uid included.

    Raises `NotFound` where `uid` names none, and `Conflict` where the new one is taken.
    """
    template = _only(_named(app, uid).select_for_update())
    return _write(template, ask, now=timezone.now())


def delete_template(*, app: App, uid: str) -> None:
    """Forget a template; raises `NotFound`. Messages made from it keep their own content."""
    find_template(app=app, uid=uid).delete()


def find_template(*, app: App, uid: str) -> Template:
    """Give the template known under `uid`; raises `NotFound`."""
    return _only(_named(app, uid))


def _named(app: App, uid: str) -> QuerySet[Template]:
    # the database cannot even look for NUL
    return Template.objects.none() if "\0" in uid else Template.objects.filter(app=app, uid=uid)


def _only(templates: QuerySet[Template]) -> Template:
    template = templates.first()
    if template is None:
        raise NotFound("No such template.")
    return template


def _write(template: Template, ask: WriteTemplate, *, now: datetime) -> Template:
    template.uid, template.name, template.content = ask.uid, ask.name, dict(ask.content)
    template.updated_at = now
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError as error:
        raise Conflict("This uid is taken.", field="uid") from error
    return template
