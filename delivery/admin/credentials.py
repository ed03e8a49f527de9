"""Provider credentials: uploaded, tried out, replaced; what they hold is never shown."""

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from crm import clock
from crm.admin.people import digest_of
from crm.desk import Desk
from crm.errors import DomainError, Invalid
from crm.filters import AppFilter, among
from crm.models import DeviceToken, Install
from crm.models.membership import Role
from crm.panels import Panel, link, panel
from delivery.admin.uploads import UploadForm
from delivery.commands.try_out import NAME, TRANSPORTS, answer_to, send_test_push, serves
from delivery.expiry import ENDED, Expiry, expiries, warned_of
from delivery.models import Batch, Breaker, Occurrence, ProviderCredential

OFFERED = 10
MOST = 1_000
ENDS_NEVER = "does not expire"
URGENCY = {"never": "success", "later": "info", "soon": "warning", "now": "danger"}


class TryForm(forms.Form):
    """Whom a test push goes to."""

    device = forms.CharField(
        label="Token number, token or install ID",
        max_length=4096,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
    )


@admin.register(ProviderCredential)
class ProviderCredentialAdmin(Desk):
    needs = {**Desk.needs, "try": Role.SENDER}
    by_app = False
    list_display = [
        "name",
        "app",
        "mode",
        "kind",
        "environment",
        "topics",
        "pace",
        "ends",
        "rests",
    ]
    list_filter = [
        AppFilter,
        among("provider", [("apns", "APNs"), ("fcm", "FCM")]),
        among("mode", [("live", "live"), ("test", "test")]),
    ]
    fields = [
        "app",
        "provider",
        "kind",
        "mode",
        "environment",
        "topics",
        "known",
        "ends",
        "pace",
        "endpoint",
        "version",
        "created_at",
        "updated_at",
    ]
    readonly_fields = fields
    list_select_related = ["app"]
    list_before_template = "delivery/warned.html"
    change_form_outer_before_template = "delivery/warned.html"
    delete_confirmation_template = "delivery/delete_credential.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderCredential]:
        """Read what is shown beside each in one query for all."""
        return super().get_queryset(request).prefetch_related("breakers")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nothing is edited in place: a credential is replaced whole."""
        return False

    @admin.display(description="provider")
    def name(self, credential: ProviderCredential) -> str:
        return credential.get_provider_display()

    @admin.display(description="topics or project")
    def topics(self, credential: ProviderCredential) -> str:
        facts = credential.facts
        named = credential.topic or facts.get("topics") or facts.get("topic", "")
        return facts.get("project_id") or named or "-"

    @admin.display(description="known of it")
    def known(self, credential: ProviderCredential) -> str:
        said = {k: v for k, v in credential.facts.items() if k not in {"topics", "not_after"}}
        return ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in said.items() if value
        )

    @display(description="ends", label=URGENCY)
    def ends(self, credential: ProviderCredential) -> tuple[str, str]:
        """Say when it ends, and how urgent that is."""
        found = expiries([credential], now=clock.now())
        if not found:
            return "never", ENDS_NEVER
        [expiry] = found
        return _urgency(expiry), _left(expiry)

    @admin.display(description="why it rests")
    def rests(self, credential: ProviderCredential) -> str:
        said = (b.reason for b in credential.breakers.all() if b.state != Breaker.State.CLOSED)
        return ", ".join(dict.fromkeys(said)) or "-"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Warn above the list of what ends."""
        warned = warned_of(self.own_apps(request), now=clock.now())
        return super().changelist_view(request, {**(extra_context or {}), "warned": warned})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Warn above a credential that ends."""
        mine = [
            expiry
            for expiry in warned_of(self.own_apps(request), now=clock.now())
            if str(expiry.credential.pk) == object_id
        ]
        extra = {**(extra_context or {}), "warned": mine}
        return super().change_view(request, object_id, form_url, extra)

    def get_urls(self) -> list[Any]:
        """Give, besides Django's own, the pages that replace a credential and try it out."""
        view = self.admin_site.admin_view
        at, name = "<int:credential_id>/", "delivery_providercredential"
        return [
            path(f"{at}replace/", view(self.replace_view), name=f"{name}_replace"),
            path(f"{at}try/", view(self.try_view), name=f"{name}_try"),
            path(f"{at}try/<int:occurrence_id>/", view(self.tried_view), name=f"{name}_tried"),
            *super().get_urls(),
        ]

    def panels(self, request: HttpRequest, row: ProviderCredential) -> Sequence[Panel]:
        """Give how it fares where it is used, and what can be done with it."""
        breakers = [
            [link(b, b.environment), b.topic, b.get_state_display(), b.reason, b.worked_at]
            for b in row.breakers.all()
        ]
        may = {
            "replace": self.may(request, "change", row),
            "try": self.may(request, "try", row),
        }
        more = render_to_string("delivery/credential_ways.html", {"it": row, "may": may}, request)
        return [
            panel(
                "Where it is used",
                "environment, topic, breaker, why it opened last, last seen to work",
                breakers,
                more=more,
            )
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Take a file, check it, and keep it sealed."""
        del form_url, extra_context
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._upload(request, UploadForm(request), title="New provider credential")

    def replace_view(self, request: HttpRequest, credential_id: int) -> HttpResponse:
        """Take the file that comes in a credential's place, for the same use."""
        old = self._owned(request, credential_id, "change")
        form = UploadForm(request, replaced=old)
        return self._upload(request, form, title=f"Replace the {old}")

    def _upload(self, request: HttpRequest, form: UploadForm, *, title: str) -> HttpResponse:
        if request.method == "POST" and (stored := form.store()) is not None:
            changed = [{"added": {}}] if stored.version == 1 else f"Replaced: {stored.version}."
            log = self.log_addition if stored.version == 1 else self.log_change
            log(request, stored, changed)
            messages.success(request, f"Stored, checked and sealed: {self.known(stored)}.")
            return HttpResponseRedirect(_page(stored))
        said = {**self.admin_site.each_context(request), "title": title, "form": form}
        return TemplateResponse(request, "delivery/upload.html", said)

    def try_view(self, request: HttpRequest, credential_id: int) -> HttpResponse:
        """Ask for a device, and push to it."""
        credential = self._owned(request, credential_id, "try")
        form = TryForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                token = _served(credential, form.cleaned_data["device"])
                occurrence = send_test_push(credential, token)
            except DomainError as refusal:
                form.add_error("device", refusal.reasons["token"][0])
            else:
                self.log_change(request, credential, f"Sent a test push to token {token.pk}.")
                name = "admin:delivery_providercredential_tried"
                return HttpResponseRedirect(reverse(name, args=[credential.pk, occurrence.pk]))
        said = {
            **self.admin_site.each_context(request),
            "title": f"Send a test push through the {credential}",
            "form": form,
            "offered": _offered(credential),
        }
        return TemplateResponse(request, "delivery/try.html", said)

    def tried_view(
        self, request: HttpRequest, credential_id: int, occurrence_id: int
    ) -> HttpResponse:
        """Give the provider's answer; without one yet, look again in a second."""
        credential = self._owned(request, credential_id, "try")
        tests = Occurrence.objects.filter(
            notification__app=credential.app_id, notification__name=NAME
        )
        occurrence = get_object_or_404(tests, pk=occurrence_id)
        answer = answer_to(occurrence)
        said = {
            **self.admin_site.each_context(request),
            "title": "Test push",
            "answer": answer,
            "credential": credential,
        }
        response = TemplateResponse(request, "delivery/tried.html", said)
        if not answer.verdict:
            response.headers["Refresh"] = "1"
        return response

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Say what stops before it is taken away."""
        waiting = Batch.objects.filter(
            credential=object_id, state__in=[Batch.State.WAITING, Batch.State.SENDING]
        )
        held = len(waiting.values_list("pk", flat=True)[: MOST + 1])
        extra = {**(extra_context or {}), "held": f"over {MOST:,}" if held > MOST else f"{held}"}
        return super().delete_view(request, object_id, extra)

    def _owned(self, request: HttpRequest, credential_id: int, deed: str) -> ProviderCredential:
        rows = self.get_queryset(request).select_related("app")
        credential: ProviderCredential = get_object_or_404(rows, pk=credential_id)
        if not self.may(request, deed, credential):
            raise PermissionDenied
        return credential


def _urgency(expiry: Expiry) -> str:
    if expiry.level is None:
        return "later"
    return "now" if expiry.level <= 7 else "soon"


def _left(expiry: Expiry) -> str:
    day = f"{expiry.ends_at:%Y-%m-%d}"
    return f"expired {day}" if expiry.level == ENDED else f"{day}, {expiry.days} days left"


def _page(credential: ProviderCredential) -> str:
    return reverse("admin:delivery_providercredential_change", args=[credential.pk])


def _served(credential: ProviderCredential, device: str) -> DeviceToken:
    """Give the token a word means; raises `Invalid` where it means none this credential serves."""
    tokens = list(_named(credential, device))
    served = next((token for token in tokens if serves(credential, token)), None)
    if served is None:
        what = "not served by this credential" if tokens else "nobody's in this app"
        raise Invalid(f"is {what}", field="token")
    return served


def _named(credential: ProviderCredential, device: str) -> Iterator[DeviceToken]:
    """Yield the tokens a word may mean: by number, by install or by value."""
    device = device.strip()
    mine = DeviceToken.objects.filter(app=credential.app_id).select_related("install")
    if "\0" in device:
        return
    if device.isdecimal() and len(device) < 10:
        yield from mine.filter(pk=device)
    installs = Install.objects.filter(app=credential.app_id, uid=device)
    yield from mine.filter(install__in=list(installs)).order_by("-id")
    yield from mine.filter(value_digest=digest_of(device), value=device)


def _offered(credential: ProviderCredential) -> list[DeviceToken]:
    """Give the newest tokens that can be tried, among the newest of the app."""
    mine = DeviceToken.objects.reachable().filter(app=credential.app_id).select_related("install")
    newest = mine.order_by("-id")[: 10 * OFFERED]
    return [
        t
        for t in newest
        if t.transport in TRANSPORTS[credential.provider] and serves(credential, t)
    ][:OFFERED]
