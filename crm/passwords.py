"""Passwords as they are kept: hashed, and compared in the same time whether there is one or not."""

from django.contrib.auth.hashers import check_password, make_password


def hashed(password: str) -> str:
    """Give what is kept of a password."""
    return make_password(password)


def matches(password: str, stored: str | None) -> bool:
    """Say whether this is the password; where there is none it takes as long to say no."""
    return check_password(password, stored if stored is not None else make_password(None))
