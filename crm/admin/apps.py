"""Apps and their keys: made and rotated here, and shown in the very answer, once."""

import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from crm import roles
from crm.commands.apps import NewApp, check_prompts, create_app, create_test_twin
from crm.commands.keys import ROTATED, live_keys, revoke_key, rotate_key
from crm.desk import Desk
from crm.errors import DomainError, Invalid
from crm.models import App, AppKey
from crm.panels import Panel, link, panel

LABELS = {
    "api_key": "API key (public)",
    "secret_key": "secret key, for devices",
    "server_key": "server key, for your backend",
    "auth_key": "ConnectyCube authorization key",
    "auth_secret": "ConnectyCube authorization secret",
}
OVERLAPS = [(0, "at once"), (1, "in an hour"), (24, "in a day"), (168, "in a week")]
OVERLAPS += [(720, "in 30 days")]


class AppForm(forms.ModelForm):
    """What `manage.py set_app` sets, under the same rules."""

    def clean_web_prompts(self) -> dict[str, Any]:
        """Refuse anything but an object; an empty box is an empty one."""
        said = self.cleaned_data["web_prompts"]
        prompts = {} if said is None else said
        try:
            check_prompts(prompts)
        except Invalid as error:
            raise forms.ValidationError(str(error)) from error
        return dict(prompts)


class NewAppForm(forms.Form):
    """A name; `once` becomes the app's API key, so that a form sent twice makes one app."""

    name = forms.CharField(
        max_length=255,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text="As operators know it. The keys are shown on the next page, and never again.",
    )
    once = forms.UUIDField(widget=forms.HiddenInput)


class RotateForm(forms.Form):
    """Which key is renewed, and when the present one ends; `newest` is the one it was seen with."""

    kind = forms.ChoiceField(
        label="Renew the",
        choices=[(kind.value, kind.label) for kind in ROTATED],
        widget=UnfoldAdminSelectWidget,
    )
    overlap = forms.TypedChoiceField(
        label="The present key ends",
        choices=OVERLAPS,
        coerce=int,
        initial=24,
        widget=UnfoldAdminSelectWidget,
    )
    newest = forms.IntegerField(widget=forms.HiddenInput, required=False)


@admin.register(App)
class AppAdmin(Desk):
    app_path = "pk"
    form = AppForm
    list_filter = []
    list_display = ["name", "id", "mode", "api_key", "created_at"]
    search_fields = ["api_key", "name"]
    search_help_text = "the whole name, or API key"
    readonly_fields = ["api_key", "mode", "web_push_public_key", "created_at"]
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    fieldsets = [
        (None, {"fields": ["name", "api_key", "mode", "created_at"]}),
        ("Sending", {"fields": ["resend_uncertain", "rate_limit"]}),
        (
            "Frequency cap",
            {
                "fields": ["cap_pushes", "cap_window"],
                "description": "Whoever has had so many bulk pushes is not sent another until the"
                " window has passed; it ends as “capped” in the counts and in Why not? Urgent"
                " pushes, to a few by name or of high priority, always go out and do not count."
                " A change holds from the next batch on, for sends under way, too.",
            },
        ),
        (
            "Kumulos",
            {
                "fields": [
                    "kumulos_v2_status",
                    "web_push_public_key",
                    "web_icon_url",
                    "web_prompts",
                    "safari_push_id",
                ]
            },
        ),
        (
            "ConnectyCube",
            {
                "fields": [
                    "cube_signature_required",
                    "cube_creates_users",
                    "cube_default_environment",
                    "cube_event_answer",
                ]
            },
        ),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A new app is nobody's yet: superusers make them."""
        return roles.is_everywhere(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Millions of rows may hang on an app: no click takes them all away."""
        return False

    def get_urls(self) -> list[Any]:
        """Give, besides Django's own, the pages that renew and revoke keys."""
        pages: list[tuple[str, str, Callable[..., HttpResponse]]] = [
            ("keys/rotate/", "rotate", self.rotate_view),
            ("keys/<int:key_id>/revoke/", "revoke", self.revoke_view),
            ("twin/", "twin", self.twin_view),
        ]
        view = self.admin_site.admin_view
        ours = [path(f"<int:app_id>/{at}", view(to), name=f"crm_app_{n}") for at, n, to in pages]
        return [*ours, *super().get_urls()]

    @method_decorator(never_cache)
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Ask for a name, and answer with the new app's keys."""
        del form_url, extra_context
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewAppForm(request.POST or None, initial={"once": uuid.uuid4()})
        if request.method == "POST" and form.is_valid():
            name, once = form.cleaned_data["name"], form.cleaned_data["once"]
            try:
                new = create_app(name=name, api_key=once)
            except DomainError:
                messages.error(request, "This app was created before: its keys were shown then.")
                return HttpResponseRedirect(reverse("admin:crm_app_changelist"))
            self.log_addition(request, new.app, [{"added": {}}])
            return self._show_all(request, new)
        said = {**self.admin_site.each_context(request), "title": "New app", "form": form}
        return TemplateResponse(request, "crm/new_app.html", said)

    def panels(self, request: HttpRequest, row: App) -> Sequence[Panel]:
        """Give the keys that open something, with what renews and ends them, and the test twin."""
        may = self.may(request, "change", row)
        keys = live_keys(row)
        said = {"app": row, "may": may, "forms": _rotate_forms(keys) if may else []}
        rows = [
            [
                key.get_kind_display(),
                bytes(key.fingerprint).hex()[-4:],
                key.created_at,
                key.expires_at or "never",
                _button(request, key) if may and key.kind != AppKey.Kind.VAPID else "",
            ]
            for key in keys
        ]
        return [
            panel(
                "Keys",
                "kind, fingerprint ends in, created, expires, ",
                rows,
                note="Only fingerprints (SHA-256) are kept. A revoked key may open for as long as"
                " GATEWAY_KEY_CACHE says, five seconds by default.",
                more=render_to_string("crm/rotate.html", said, request),
            ),
            _twin_panel(request, row, may=may),
        ]

    @method_decorator(require_POST)
    def rotate_view(self, request: HttpRequest, app_id: int) -> HttpResponse:
        """Renew a key, and answer with it."""
        app = self._owned(request, app_id)
        form = RotateForm(request.POST)
        if not form.is_valid():
            return self._back(request, app, "choose a key and when the present one ends")
        kind, hours = AppKey.Kind(form.cleaned_data["kind"]), form.cleaned_data["overlap"]
        newest = form.cleaned_data["newest"]
        try:
            new = rotate_key(app, kind, overlap=timedelta(hours=hours), newest_id=newest)
        except DomainError as refusal:
            return self._back(request, app, str(refusal))
        self.log_change(
            request, app, f"Renewed the {kind.value} key; the old one ends {new.old_until}."
        )
        return self._show(request, app, [(kind.label, new.secret)], old_until=new.old_until)

    @method_decorator(require_POST)
    def revoke_view(self, request: HttpRequest, app_id: int, key_id: int) -> HttpResponse:
        """End a key now."""
        app = self._owned(request, app_id)
        try:
            key = revoke_key(app, key_id)
        except DomainError as refusal:
            return self._back(request, app, str(refusal))
        self.log_change(request, app, f"Revoked a {key.kind} key.")
        messages.success(request, f"The {key.get_kind_display()} opens nothing any more.")
        return self._back(request, app)

    @method_decorator(require_POST)
    def twin_view(self, request: HttpRequest, app_id: int) -> HttpResponse:
        """Make the test app of a live one, and answer with its keys."""
        app = self._owned(request, app_id)
        try:
            new = create_test_twin(app)
        except DomainError as refusal:
            return self._back(request, app, str(refusal))
        self.log_addition(request, new.app, [{"added": {}}])
        return self._show_all(request, new)

    def _owned(self, request: HttpRequest, app_id: int) -> App:
        app = get_object_or_404(self.get_queryset(request), pk=app_id)
        if not self.may(request, "change", app):
            raise PermissionDenied
        return app

    def _back(self, request: HttpRequest, app: App, refusal: str = "") -> HttpResponse:
        if refusal:
            messages.error(request, refusal)
        return HttpResponseRedirect(reverse("admin:crm_app_change", args=[app.pk]))

    def _show_all(self, request: HttpRequest, new: NewApp) -> HttpResponse:
        keys = [(label, str(getattr(new, name))) for name, label in LABELS.items()]
        return self._show(request, new.app, [("application id", str(new.app.pk)), *keys])

    def _show(
        self, request: HttpRequest, app: App, keys: Sequence[tuple[str, str]], **said: Any
    ) -> HttpResponse:
        """Answer with keys in clear: in this answer alone, which nobody may keep."""
        about = {**self.admin_site.each_context(request), "title": f"Keys of {app}", "app": app}
        response = TemplateResponse(request, "crm/keys_shown.html", {**about, "keys": keys, **said})
        response.headers["Cache-Control"] = "no-store"
        return response


def _rotate_forms(keys: Sequence[AppKey]) -> list[RotateForm]:
    """Give a form for each kind, which knows the newest key it was made for."""
    newest: dict[str, int] = {}
    for key in keys:
        newest.setdefault(key.kind, key.pk)
    return [
        RotateForm(initial={"kind": kind.value, "overlap": 24, "newest": newest.get(kind.value)})
        for kind in ROTATED
    ]


def _button(request: HttpRequest, key: AppKey) -> str:
    return render_to_string("crm/revoke.html", {"key": key}, request)


def _twin_panel(request: HttpRequest, app: App, *, may: bool) -> Panel:
    if app.is_test:
        return panel(
            "Test app",
            "test app of",
            [[link(app.live_app)]],
            note="Its keys begin with “test”; its pushes reach the simulator only.",
        )
    twin = App.objects.filter(live_app=app).first()
    more = "" if twin or not may else render_to_string("crm/make_twin.html", {"app": app}, request)
    return panel(
        "Test app",
        "name",
        [[link(twin)]] if twin else [],
        note="Data and keys of its own; its pushes reach the simulator only, never a phone.",
        more=more,
    )
