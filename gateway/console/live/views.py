"""The page of a send: looked at, asked again every other second, stopped, taken away."""

from typing import Any

from django.contrib import admin, messages
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from crm import clock, roles
from crm.errors import DomainError
from crm.models.membership import Role
from delivery.audience import Audience
from delivery.commands.amend import cancel_notification, pause_sending, resume_sending
from delivery.models import Notification
from delivery.reports import funnel
from delivery.schedule import Schedule
from gateway.console.compose.plan import words_of
from gateway.console.doors import find_notification, operators
from gateway.console.live.export import lines_of
from gateway.console.live.watching import watch
from gateway.console.words import audience_words, preview_of

DEEDS = {"pause": "Paused", "resume": "Resumed", "cancel": "Cancelled"}


@require_GET
@never_cache
@operators
def send(request: HttpRequest, id_: int) -> HttpResponse:
    """Show a send; the numbers are there without any script."""
    notification = find_notification(request, id_, Role.VIEWER)
    watched = watch(notification, now=clock.now())
    context = {
        **admin.site.each_context(request),
        "title": notification.name or f"Notification {notification.pk}",
        "notification": notification,
        "app": notification.app,
        "watched": watched,
        "initial": watched.as_json(),
        "preview": preview_of(notification.message),
        "words": _audience(notification),
        "when": words_of(Schedule.from_json(notification.schedule)),
        "by": notification.operator or _author(notification),
        "may_send": roles.may(request.user, notification.app_id, at_least=Role.SENDER),
        "is_push": notification.kind == Notification.Kind.PUSH,
        "again": "raw" not in notification.message and "in_app" not in notification.message,
    }
    return render(request, "console/live/send.html", context)


@require_GET
@never_cache
@operators
def progress(request: HttpRequest, id_: int) -> HttpResponse:
    """Give what has changed since."""
    notification = find_notification(request, id_, Role.VIEWER)
    return JsonResponse(watch(notification, now=clock.now()).as_json())


@require_POST
@operators
def stop(request: HttpRequest, id_: int) -> HttpResponse:
    """Pause, resume or cancel a send, and say how many have it already."""
    notification = find_notification(request, id_, Role.SENDER)
    deed = request.POST.get("deed", "")
    try:
        _do(deed, notification)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        counts = funnel(notification)
        have = f"{counts.accepted:,} of {counts.targeted:,} have it, {counts.pending:,} are pending"
        in_hand = "" if deed == "resume" else " Batches in a worker's hands still go out."
        messages.success(request, f"{DEEDS[deed]}: {have}.{in_hand}")
    return HttpResponseRedirect(reverse("admin:send", args=[notification.pk]))


@require_GET
@operators
def export(request: HttpRequest, id_: int) -> StreamingHttpResponse:
    """Stream every outcome so far as CSV."""
    notification = find_notification(request, id_, Role.VIEWER)
    name = f"notification-{notification.pk}.csv"
    return StreamingHttpResponse(
        lines_of(notification),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _do(deed: str, notification: Notification) -> None:
    about: dict[str, Any] = {"app": notification.app, "notification_id": notification.pk}
    if deed == "pause":
        pause_sending(**about)
    elif deed == "resume":
        resume_sending(**about)
    elif deed == "cancel":
        cancel_notification(**about, kind=Notification.Kind(notification.kind))
    else:
        raise DomainError("There is no such button.")


def _audience(notification: Notification) -> Any:
    return audience_words(Audience.from_json(notification.audience), app_id=notification.app_id)


def _author(notification: Notification) -> str:
    return notification.author.uid if notification.author else ""
