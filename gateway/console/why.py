"""One page: why did this user not get it."""

from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from crm.errors import NotFound
from crm.models.membership import Role
from delivery.models import Notification
from delivery.why.answer import why_install, why_user
from delivery.why.findings import Answer, Reason
from gateway.console.doors import find_notification

MOST = 2**31 - 1
GOOD = {Reason.CONFIRMED}
OPEN = {Reason.UNCONFIRMED, Reason.WAITING, Reason.SCHEDULED, Reason.UNCERTAIN}


class Question(forms.Form):
    """A notification, and a user or an install."""

    notification = forms.IntegerField(
        min_value=1, max_value=MOST, label="Notification", widget=UnfoldAdminIntegerFieldWidget
    )
    user = forms.CharField(
        required=False, max_length=512, label="User", widget=UnfoldAdminTextInputWidget
    )
    install = forms.CharField(
        required=False, max_length=255, label="Install", widget=UnfoldAdminTextInputWidget
    )

    def clean(self) -> dict[str, Any]:
        """Ask for exactly one of user and install."""
        said = super().clean() or {}
        if "notification" in said and bool(said.get("user")) is bool(said.get("install")):
            raise forms.ValidationError("Name either a user or an install.")
        return said


def page(request: HttpRequest) -> HttpResponse:
    """Show the question, and its answer where one is asked; only of the operator's own apps."""
    question = Question(request.GET or None)
    answer: Answer | None = None
    if question.is_bound and question.is_valid():
        try:
            answer = _answer(request, question.cleaned_data)
        except NotFound as nothing:
            question.add_error(None, f"There is {nothing}.")
    context = {
        **admin.site.each_context(request),
        "title": "Why did they not get it?",
        "question": question,
        "answer": answer,
        "tone": _tone(answer.headline.reason) if answer else "",
    }
    return TemplateResponse(request, "console/why.html", context)


def _answer(request: HttpRequest, said: dict[str, Any]) -> Answer:
    notification = _push(request, said["notification"])
    app, now = notification.app, timezone.now()
    if said["user"]:
        return why_user(notification, app=app, user_uid=said["user"], now=now)
    return why_install(notification, app=app, install_uid=said["install"], now=now)


def _push(request: HttpRequest, id_: int) -> Notification:
    with suppress(Http404):
        notification = find_notification(request, id_, Role.VIEWER)
        if notification.kind == Notification.Kind.PUSH:
            return notification
    raise NotFound("no such notification", field="notification")


def _tone(reason: Reason) -> str:
    if reason in GOOD:
        return "success"
    return "warning" if reason in OPEN else "danger"
