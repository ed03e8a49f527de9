"""Webhooks for operators: made, given another secret, stopped, started, and told again."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from crm.desk import Desk, ReadOnlyDesk
from crm.errors import DomainError, Invalid
from crm.models.membership import Role
from delivery.commands.webhooks import (
    OVERLAP,
    WriteWebhook,
    change_webhook,
    check,
    create_webhook,
    delete_webhook,
    replay_delivery,
    replay_from,
    rotate_secret,
    start_webhook,
    stop_webhook,
)
from delivery.models import Webhook, WebhookDelivery, WebhookEvent, WebhookReader
from delivery.models.webhook import Topic
from delivery.webhooks.events import read_position

State = WebhookDelivery.State


class WebhookForm(forms.ModelForm):
    """Where to tell what, under the rules of the command."""

    topics = forms.MultipleChoiceField(
        choices=Topic.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        label="What it is told",
    )

    class Meta:
        labels = {"url": "Address", "most_events": "Events in one request, at most"}

    def clean(self) -> dict[str, Any]:
        """Say at the right box what cannot be."""
        asked = super().clean() or {}
        if not self.errors:
            try:
                check(ask_of(asked))
            except Invalid as refusal:
                for field, why in refusal.reasons.items():
                    self.add_error(field or None, list(why))
        return asked


def ask_of(asked: dict[str, Any]) -> WriteWebhook:
    """Give the command a form asks for."""
    return WriteWebhook(url=asked["url"], topics=asked["topics"], most_events=asked["most_events"])


class CursorForm(forms.Form):
    """Where a replay begins."""

    after = forms.CharField(
        label="After the event",
        initial="0",
        max_length=32,
        widget=UnfoldAdminTextInputWidget,
        help_text="The id of an event; 0 for the first one kept.",
    )

    def clean_after(self) -> Any:
        """Give the position."""
        try:
            return read_position(self.cleaned_data["after"])
        except Invalid as refusal:
            raise forms.ValidationError(refusal.reasons["after"][0]) from refusal


@admin.register(Webhook)
class WebhookAdmin(Desk):
    form = WebhookForm
    list_display = ["url", "app", "state", "last_ok_at", "told", "tried"]
    list_filter = ["active"]
    list_select_related = ["app"]
    readonly_fields = ["state", "stopped_because", "progress", "signs", "last_ok_at", "created_at"]
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    actions_detail = ["tried_page", "rotate", "stop", "start", "replay"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002
        asked = (None, {"fields": ["app", "url", "topics", "most_events"]})
        if obj is None:
            return [asked]
        return [asked, ("How it goes", {"fields": self.readonly_fields})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:  # noqa: ARG002
        # its events are its app's
        return ["app", *self.readonly_fields] if obj else []

    @display(description="state", label={"told": "success", "stopped": "danger"})
    def state(self, webhook: Webhook) -> str:
        return "told" if webhook.active else "stopped"

    @display(description="told of")
    def told(self, webhook: Webhook) -> str:
        return ", ".join(webhook.topics)

    @display(description="deliveries")
    def tried(self, webhook: Webhook) -> str:
        return format_html('<a href="{}">show</a>', _deliveries_of(webhook))

    @display(description="progress")
    def progress(self, webhook: Webhook) -> str:
        """What waits to be told, since when, and what is in the way."""
        said = [_waiting(webhook)]
        readers = webhook.readers.all()
        if held := readers.filter(kind=WebhookReader.Kind.HOLD).count():
            said.append(f"{held} installs held back")
        failing = readers.filter(attempts__gt=0, next_attempt_at__isnull=False)
        if (first := failing.order_by("next_attempt_at").first()) is not None:
            when = f"{first.next_attempt_at:%Y-%m-%d %H:%M:%S} UTC"
            said.append(f"{failing.count()} streams wait after a failure, the next until {when}")
        return "; ".join(said)

    @display(description="secrets")
    def signs(self, webhook: Webhook) -> str:
        """How many secrets sign, and until when the old ones do."""
        live = webhook.secrets.live().order_by("-pk")
        ends = [f"{kept.expires_at:%Y-%m-%d %H:%M} UTC" for kept in live if kept.expires_at]
        return f"{len(live)}" + (f"; older ones sign until {', '.join(ends)}" if ends else "")

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        ask = ask_of(form.cleaned_data)
        if change:
            change_webhook(obj, ask=ask)
            return
        made = create_webhook(app=obj.app, ask=ask)
        obj.pk = made.webhook.pk
        request.new_webhook_secret = made.secret  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret, for the only time; no message keeps it, no page leads back here."""
        del post_url_continue
        return self._secret_page(request, obj, request.new_webhook_secret)  # type: ignore[attr-defined]

    def _secret_page(self, request: HttpRequest, webhook: Webhook, secret: str) -> HttpResponse:
        context = {**self._page(request, webhook, "The signing secret"), "secret": secret}
        response = TemplateResponse(request, "delivery/webhook_secret.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:  # noqa: ARG002
        delete_webhook(obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:  # noqa: ARG002
        for webhook in queryset:
            delete_webhook(webhook)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:  # noqa: ARG002
        # not counted: it may have a million deliveries
        return [f"{webhook} and all its deliveries" for webhook in objs], {}, set(), []

    def has_replay_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Say whether the operator may do more than look at this one."""
        if object_id is None:
            return self.may(request, "change")
        webhook = self.get_queryset(request).filter(pk=object_id).first()
        return webhook is not None and self.may(request, "change", webhook)

    @action(description="Deliveries", icon="outbound")
    def tried_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        webhook = get_object_or_404(self.get_queryset(request), pk=object_id)
        return HttpResponseRedirect(_deliveries_of(webhook))

    @action(description="New secret", icon="key", permissions=["replay"])
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        webhook = self._own(request, object_id)
        if request.method != "POST":
            hours = OVERLAP.total_seconds() / 3600
            why = f"Calls are signed with the old and the new secret for {hours:.0f} hours."
            return self._ask(request, webhook, "Make a new secret", why)
        try:
            secret = rotate_secret(webhook)
        except DomainError as refusal:
            return self._back(request, webhook, str(refusal), messages.ERROR)
        return self._secret_page(request, webhook, secret)

    @action(description="Stop", icon="pause", permissions=["replay"])
    def stop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        webhook = self._own(request, object_id)
        if request.method != "POST":
            why = "It is told nothing until it is started again; what happens meanwhile is kept."
            return self._ask(request, webhook, "Stop it", why)
        stop_webhook(webhook)
        return self._back(request, webhook, "Stopped.")

    @action(description="Start", icon="play_arrow", permissions=["replay"])
    def start(self, request: HttpRequest, object_id: str) -> HttpResponse:
        webhook = self._own(request, object_id)
        if request.method != "POST":
            why = "It is told what it has not heard yet, at once; what waits after a failure, too."
            return self._ask(request, webhook, "Start it", why)
        start_webhook(webhook)
        return self._back(request, webhook, "Started.")

    @action(description="Replay", icon="replay", permissions=["replay"])
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        webhook = self._own(request, object_id)
        form = CursorForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            after = form.cleaned_data["after"]
            replay_from(webhook, after=after)
            return self._back(request, webhook, f"Told again after {after}, in order.")
        why = "Everything kept after this event is told again in order, before anything new."
        return self._ask(request, webhook, "Replay", why, form=form)

    def _own(self, request: HttpRequest, object_id: str) -> Webhook:
        webhook: Webhook = get_object_or_404(self.get_queryset(request), pk=object_id)
        if not self.may(request, "change", webhook):
            raise PermissionDenied
        return webhook

    def _ask(
        self,
        request: HttpRequest,
        webhook: Webhook,
        title: str,
        why: str,
        form: forms.Form | None = None,
    ) -> HttpResponse:
        context = {**self._page(request, webhook, title), "why": why, "form": form}
        return TemplateResponse(request, "delivery/webhook_ask.html", context)

    def _page(self, request: HttpRequest, webhook: Webhook, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "webhook": webhook,
            "opts": self.opts,
            "back": _page_of(webhook),
        }

    def _back(
        self, request: HttpRequest, webhook: Webhook, said: str, level: int = messages.SUCCESS
    ) -> HttpResponse:
        self.message_user(request, said, level)
        return HttpResponseRedirect(_page_of(webhook))


COUNTED = 1_000


def _waiting(webhook: Webhook) -> str:
    """Say how much waits in all lanes; a record may be of many pushes."""
    count, since = 0, None
    for lane in webhook.readers.filter(kind=WebhookReader.Kind.LANE):
        events = WebhookEvent.objects.filter(app=webhook.app_id, lane=lane.lane)
        waits = events.filter(seq__gt=lane.seq, topic__in=webhook.topics)
        moments = list(waits.order_by("seq").values_list("at", flat=True)[:COUNTED])
        count += len(moments)
        since = min([since, *moments[:1]] if since else moments[:1], default=None)
    if since is None:
        return "nothing waits to be told"
    more = "or more " if count >= COUNTED else ""
    return f"{count:,} {more}records wait to be told, since {since:%Y-%m-%d %H:%M:%S} UTC"


def _page_of(webhook: Webhook) -> str:
    return reverse("admin:delivery_webhook_change", args=[webhook.pk])


def _deliveries_of(webhook: Webhook) -> str:
    deliveries = reverse("admin:delivery_webhookdelivery_changelist")
    return f"{deliveries}?webhook__id__exact={webhook.pk}"


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyDesk):
    app_path = "webhook__app"
    needs = {**ReadOnlyDesk.needs, "replay": Role.ADMIN}
    actions = ["tell_again"]
    list_display = [
        "id",
        "webhook",
        "how",
        "events",
        "attempts",
        "status",
        "answer",
        "duration",
        "tried_at",
        "replay",
    ]
    list_filter = ["state"]
    list_select_related = ["webhook"]

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        # the list of one webhook; a filter would name those of other apps
        return lookup == "webhook__id__exact" or super().lookup_allowed(lookup, value, request)

    @display(
        description="state",
        label={
            State.DELIVERED.label: "success",
            State.WAITING.label: "warning",
            State.GIVEN_UP.label: "danger",
            State.SENDING.label: "info",
        },
    )
    def how(self, delivery: WebhookDelivery) -> str:
        return delivery.get_state_display()

    @display(description="took", empty_value="-")
    def duration(self, delivery: WebhookDelivery) -> str | None:
        return None if delivery.milliseconds is None else f"{delivery.milliseconds:,} ms"

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Say whether the operator may have any told again; each is asked about once more."""
        return self.may(request, "replay")

    @admin.action(description="Tell again, or now what waits", permissions=["replay"])
    def tell_again(self, request: HttpRequest, chosen: Any) -> None:
        for delivery in chosen.select_related("webhook").order_by("pk"):
            if not self.may(request, "replay", delivery):
                self.message_user(request, f"{delivery}: not yours to replay", messages.ERROR)
                continue
            try:
                replay_delivery(delivery)
            except DomainError as refusal:
                self.message_user(request, f"{delivery.pk}: {refusal}", messages.WARNING)
            else:
                said = f"{delivery.pk}: told again in a moment"
                self.message_user(request, said, messages.SUCCESS)
