"""The form a provider credential is uploaded with."""

import json
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.http import HttpRequest
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from crm import clock, roles
from crm.errors import DomainError
from crm.models import App
from crm.models.membership import Role
from delivery.commands.credential_files import Handed, read_file
from delivery.commands.credentials import KEPT, Kept, StoreCredential, store_credential
from delivery.models import ProviderCredential

GOOGLE = ".googleapis.com"
MOST = 1_000_000


class UploadForm(forms.Form):
    """A file and what it does not say itself; only superusers may aim it elsewhere."""

    app = forms.ModelChoiceField(App.objects.none(), widget=UnfoldAdminSelectWidget)
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text="Apple's .p8, a .p12 or PEM of certificate and key, or the JSON of a Google"
        " service account. It is kept sealed and cannot be downloaded again.",
    )
    passphrase = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="Of a .p12 or an encrypted key; it is not kept.",
    )
    key_id = forms.CharField(
        required=False,
        max_length=32,
        label="Key ID",
        widget=UnfoldAdminTextInputWidget,
        help_text="With a .p8: ten characters, also in the name Apple gave the file.",
    )
    team_id = forms.CharField(
        required=False,
        max_length=32,
        label="Team ID",
        widget=UnfoldAdminTextInputWidget,
        help_text="With a .p8: ten characters, in Apple's developer account under Membership.",
    )
    topic = forms.CharField(
        required=False,
        max_length=255,
        label="Bundle ID (topic)",
        widget=UnfoldAdminTextInputWidget,
        help_text="Of the app on Apple's devices; a certificate names its own.",
    )
    only_topic = forms.BooleanField(
        required=False,
        label="Serve no other topic",
        widget=UnfoldBooleanWidget,
    )
    environment = forms.ChoiceField(
        required=False,
        choices=[("", "both"), ("production", "production"), ("sandbox", "sandbox")],
        widget=UnfoldAdminSelectWidget,
        help_text="Which of Apple's two worlds it serves.",
    )
    pace = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MOST,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Pushes a second; 0 for any number, empty for what the provider takes.",
    )
    endpoint = forms.CharField(
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text="https://host:port of something that stands in for the provider.",
    )
    ca_pem = forms.CharField(
        required=False,
        label="Certificate authority (PEM)",
        widget=UnfoldAdminTextareaWidget,
        help_text="Whom to believe there.",
    )

    FIXED = ("app", "only_topic", "environment")
    AIM = ("endpoint", "ca_pem")

    def __init__(self, request: HttpRequest, *, replaced: ProviderCredential | None = None) -> None:
        self._request, self._replaced = request, replaced
        self._aims = roles.is_everywhere(request.user)
        posted = request.method == "POST"
        initial: dict[str, Any] = {"app": request.GET.get("app")}
        if replaced is not None:
            initial = {name: getattr(replaced, name) for name in ("pace", *self.AIM)}
            initial |= {name: replaced.facts.get(name, "") for name in ("key_id", "team_id")}
            initial["topic"] = replaced.topic or replaced.facts.get("topic", "")
        super().__init__(
            request.POST if posted else None, request.FILES if posted else None, initial=initial
        )
        own = roles.apps_of(request.user, at_least=Role.ADMIN)
        self.fields["app"].queryset = App.objects.filter(pk__in=own).order_by("name")  # type: ignore[attr-defined]
        gone = [*(() if self._aims else self.AIM), *(self.FIXED if replaced else ())]
        for name in gone:
            del self.fields[name]

    def store(self) -> ProviderCredential | None:
        """Store what was uploaded; None where it cannot be, with the reasons beside the fields."""
        if not self.is_valid():
            return None
        try:
            handed = self._read()
            return store_credential(self._asked(handed))
        except DomainError as refusal:
            for name, reasons in refusal.reasons.items():
                at = "file" if name == "secret" else name
                shown = at if at in self.fields else None
                for reason in reasons:
                    self.add_error(shown, reason if shown else f"{name} {reason}".strip())
        return None

    def _read(self) -> Handed:
        said = self.cleaned_data
        content = said["file"].read(200_000)
        handed = read_file(content, passphrase=said["passphrase"], now=clock.now())
        if self._replaced is not None and handed.provider != self._replaced.provider:
            raise DomainError(
                f"is for {handed.provider}; this credential is for {self._replaced.provider}",
                field="file",
            )
        if not self._aims and not self._app.is_test and (host := _foreign_host(handed)):
            raise DomainError(f"asks {host} for tokens, which is not Google", field="file")
        return handed

    @property
    def _app(self) -> App:
        app: App = self._replaced.app if self._replaced else self.cleaned_data["app"]
        return app

    def _asked(self, handed: Handed) -> StoreCredential:
        said, old = self.cleaned_data, self._replaced
        aim = {name: said.get(name, getattr(old, name, "")) for name in self.AIM}
        if old is not None:
            use: dict[str, Any] = {
                "environment": old.environment,
                "only_topic": bool(old.topic),
                "topic": old.topic or said["topic"],
            }
        else:
            use = {name: said[name] for name in ("environment", "only_topic", "topic")}
        if handed.provider == "fcm":
            use = {**use, "environment": "", "topic": "", "only_topic": False}
        # a new one that takes an old one's place says nothing of the pace by leaving it empty
        pace: int | Kept | None = said["pace"]
        return StoreCredential(
            app=self._app,
            provider=handed.provider,
            secret=handed.secret,
            key_id=said["key_id"],
            team_id=said["team_id"],
            pace=KEPT if pace is None and old is None else pace,
            **use,
            **aim,
        )


def _foreign_host(handed: Handed) -> str:
    """Give whom a service account asks for tokens, where that is not Google."""
    if handed.provider != "fcm":
        return ""
    host = urlsplit(json.loads(handed.secret)["token_uri"]).hostname or "nobody"
    return "" if host.endswith(GOOGLE) else host
