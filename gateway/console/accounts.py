"""How operators sign in: django-allauth, without sign-up, e-mail or anybody who is no operator."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import LoginForm
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.urls import reverse

from crm.sealing import seal, unseal
from gateway.console.address import client_address


class Accounts(DefaultAccountAdapter):
    """The accounts of operators: a superuser makes them, and nobody writes to them."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Say no."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Give the address attempts are counted by."""
        return client_address(request)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """Give the operator with this name and password; nobody else signs in here."""
        user = super().authenticate(request, **credentials)
        return user if user is not None and getattr(user, "is_staff", False) else None

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # by address, too: or anybody could keep an operator from signing in, by guessing on and on
        name = str(credentials.get("username", "")).lower()
        return f"{client_address(request)}:{name}"

    def get_login_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002
        """Give the admin's first page."""
        return reverse("admin:index")

    def get_logout_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002
        """Give the page for signing in."""
        return reverse("account_login")

    def send_mail(self, *_: Any, **__: Any) -> None:
        """Send nothing: operators have no address here."""


class SignIn(LoginForm):
    """The form of the sign-in page, with the field names Django's own has."""

    def add_prefix(self, field_name: str) -> str:
        """Give the name a field has in the page."""
        return str(super().add_prefix("username" if field_name == "login" else field_name))


class SecondFactors(DefaultMFAAdapter):
    """Second factors, whose secrets are sealed where they are stored."""

    def encrypt(self, text: str) -> str:
        """Give the sealed form of a secret."""
        return seal(text).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        """Open a sealed secret."""
        return unseal(encrypted_text.encode("ascii"))
