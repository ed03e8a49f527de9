"""Who operates the gateway, and in which apps they may do what."""

from typing import Any, ClassVar

from allauth.account.decorators import reauthentication_required
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from unfold.admin import TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.desk import Desk
from crm.filters import AppFilter, among
from crm.models import Membership
from crm.models.membership import Role

again = method_decorator(reauthentication_required(allow_get=True))
"""Before it is done, whoever asks says once more who they are, if they have not just now."""


class Memberships(TabularInline):
    """Which apps an operator has a role in; superusers are shown it, and need none themselves."""

    model = Membership
    fields = ("app", "role")
    extra = 0
    tab = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Say whether it is a superuser."""
        return _is_superuser(request)

    has_add_permission = has_change_permission = has_delete_permission = has_view_permission


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


class OperatorForm(UserChangeForm):
    """An operator, of whom there is always one who may do everything."""

    def clean(self) -> dict[str, Any]:
        """Refuse to leave nobody who could let anybody in."""
        said: dict[str, Any] = super().clean() or {}
        stays = said.get("is_active", True) and said.get("is_superuser", True)
        if not stays and is_the_last(self.instance):
            raise forms.ValidationError(LAST)
        return said


LAST = "This is the last superuser: nobody could let an operator in any more."


def is_the_last(user: User) -> bool:
    """Say whether an operator is the only superuser who can sign in."""
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    return bool(user.is_superuser) and user.is_active and not others.exists()


class OperatorDesk(UserAdmin, Desk):
    """Operators, for superusers alone."""

    form, add_form = OperatorForm, UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = [Memberships]
    list_display = ["username", "full_name", "is_active", "is_superuser", "factor", "last_login"]
    app_path = ""  # of none: superusers see all of them, nobody else any
    list_filter = ["is_active", "is_superuser"]
    search_fields = ["username__istartswith"]
    search_help_text = "how a name begins"
    ordering = ["-pk"]
    filter_horizontal = ()
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Name", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_superuser", "last_login", "date_joined")}),
    )
    readonly_fields = ["last_login", "date_joined"]
    actions = ["reset_second_factor"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Give everybody, with their second factors."""
        del request
        return User.objects.prefetch_related("authenticator_set")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Keep those whose name begins so: there are few, and no app to look in."""
        return super(Desk, self).get_search_results(request, queryset, search_term)

    def may(self, request: HttpRequest, deed: str, row: Model | None = None) -> bool:
        """Say whether it is a superuser; the last one, and oneself, cannot be deleted."""
        if deed == "delete" and isinstance(row, User):
            return _is_superuser(request) and row != request.user and not is_the_last(row)
        return _is_superuser(request)

    def has_reset_permission(self, request: HttpRequest) -> bool:
        """Say whether it is a superuser."""
        return _is_superuser(request)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        """Store somebody who may open the admin: that is what an operator is."""
        obj.is_staff = True
        super().save_model(request, obj, form, change)

    @again
    def add_view(self, request: HttpRequest, *said: Any, **context: Any) -> Any:
        """Add an operator."""
        return super().add_view(request, *said, **context)

    @again
    def change_view(self, request: HttpRequest, *said: Any, **context: Any) -> Any:
        """Change one."""
        return super().change_view(request, *said, **context)

    @again
    def delete_view(self, request: HttpRequest, *said: Any, **context: Any) -> Any:
        """Delete one."""
        return super().delete_view(request, *said, **context)

    @again
    def changelist_view(self, request: HttpRequest, *said: Any, **context: Any) -> Any:
        """Do something to several."""
        return super().changelist_view(request, *said, **context)

    @again
    def user_change_password(self, request: HttpRequest, *said: Any, **context: Any) -> Any:
        """Give somebody another password, which ends their sessions."""
        return super().user_change_password(request, *said, **context)

    @admin.display(description="name", empty_value="-")
    def full_name(self, user: User) -> str:
        """Give the name of a person."""
        return user.get_full_name()

    @admin.display(description="second factor", boolean=True)
    def factor(self, user: User) -> bool:
        """Say whether a password alone does not let them in."""
        kinds = {factor.type for factor in user.authenticator_set.all()}  # type: ignore[attr-defined]
        return bool(kinds - {Authenticator.Type.RECOVERY_CODES})

    @admin.action(description="Forget second factors, and end all sessions", permissions=["reset"])
    def reset_second_factor(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """Help those who have lost theirs."""
        for user in chosen:
            forget_factors(user)
            self.message_user(request, f"{user}: forgotten; be sure it is them", messages.SUCCESS)


def forget_factors(user: User) -> str:
    """Take somebody's second factors away, sign them out everywhere, and say what there was."""
    factors = Authenticator.objects.filter(user=user)
    forgotten = ", ".join(str(factor.type) for factor in factors) or "nothing"
    factors.delete()
    for session in UserSession.objects.filter(user=user):
        session.end()
    return forgotten


class MembershipForm(forms.ModelForm):
    """Somebody's role in an app; they are named, not chosen: who else operates here is no news."""

    named = forms.CharField(
        label="operator",
        widget=UnfoldAdminTextInputWidget,
        help_text="the name they sign in with; a superuser makes new operators",
    )

    class Meta:
        model = Membership
        fields = ("app", "role")

    def clean(self) -> dict[str, Any]:
        """Find whom it names, who is not in the app yet."""
        said: dict[str, Any] = super().clean() or {}
        if "named" not in said:
            return said
        user = User.objects.filter(username=said["named"], is_active=True, is_staff=True).first()
        if user is None:
            self.add_error("named", "no operator has this name")
        elif Membership.objects.filter(operator=user, app=said.get("app")).exists():
            self.add_error("named", "has a role in this app already")
        else:
            self.instance.operator = user
        return said


class MembershipDesk(Desk):
    """Who may do what in the apps one is an admin of; nobody gets more than the admin has."""

    needs: ClassVar = dict.fromkeys(("view", "add", "change", "delete"), Role.ADMIN)
    list_display = ["operator", "app", "role", "created_at"]
    list_filter = [AppFilter, among("role", [(str(r.value), r.label) for r in Role])]
    list_select_related = ["operator", "app"]
    search_fields = ["operator__username"]
    search_help_text = "the whole name of an operator"

    def get_form(self, request: Any, obj: Any = None, change: Any = False, **said: Any) -> Any:  # noqa: FBT002
        """Ask for a name where one is added; whose it is, and of which app, stays."""
        if obj is None:
            said["form"] = MembershipForm
        return super().get_form(request, obj, change, **said)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Give what the form shows."""
        del request
        return ["named", "app", "role"] if obj is None else ["operator", "app", "role"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Give what is shown and stays."""
        del request
        return [] if obj is None else ["operator", "app"]
